/// Why routes cannot be compiled: what is wrong, where, and the way out.
package enum RoutingError: Error, Sendable, Equatable, CustomStringConvertible {
    case patternNotAbsolute(String)
    case emptySegment(pattern: String)
    case dotSegment(pattern: String)
    case restNotLast(pattern: String)
    case badCapture(pattern: String, segment: String)
    case duplicateCapture(pattern: String, name: String)
    case forbiddenCharacter(pattern: String, segment: String)
    case patternTooDeep(String)
    case badHost(route: String, host: String)
    case badMethod(route: String, method: String)
    case noMethods(route: String)
    case unreachable(route: String, behind: String)
    case prefixNotOfPattern(prefix: String, pattern: String)
    case unknownCapture(template: String, name: String, known: [String])
    case noResourceType(template: String)

    package var description: String {
        switch self {
        case .patternNotAbsolute(let pattern): "path \(pattern) must begin with /"
        case .emptySegment(let pattern): "path \(pattern) has an empty segment; write each / once"
        case .dotSegment(let pattern): "path \(pattern) has a dot segment; write where it leads"
        case .restNotLast(let pattern): "path \(pattern) has ** or {rest} before its end; it can only be last"
        case .badCapture(let pattern, let segment):
            "path \(pattern): \(segment) is not {name}; a capture is a whole segment, its name letters, digits, _ and -"
        case .duplicateCapture(let pattern, let name): "path \(pattern) captures {\(name)} twice; rename one"
        case .forbiddenCharacter(let pattern, let segment):
            "path \(pattern): segment \(segment) holds what no path can match; write it decoded, without \\ * % ? #"
        case .patternTooDeep(let pattern):
            "path \(pattern) has more than \(RoutePattern.maximumDepth) segments; end it earlier with /**"
        case .badHost(let route, let host):
            "route \(route): host \(host) is neither a name like api.example.com nor *.example.com, without port"
        case .badMethod(let route, let method): "route \(route): \(method) is not an HTTP method such as GET"
        case .noMethods(let route): "route \(route) lists no methods; name some or leave the list out for all"
        case .unreachable(let route, let behind):
            "route \(route) is never reached: \(behind) before it takes the same hosts, path and methods"
        case .prefixNotOfPattern(let prefix, let pattern):
            "prefix \(prefix) is not how \(pattern) begins; use the pattern's own first segments"
        case .unknownCapture(let template, let name, let known):
            "\(template) uses {\(name)}, which the path does not capture; it has \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        case .noResourceType(let template): "resource \(template) must be type:/path, such as thing:/{rest}"
        }
    }
}
