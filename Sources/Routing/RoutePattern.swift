/// The path of a route, taken apart: `/exact`, `/x/{id}`, `/x/*` for exactly one segment, `/x/**` for any number of
/// them.
///
/// Written decoded and compared byte by byte with decoded segments. A trailing slash means nothing.
package struct RoutePattern: Sendable, Equatable {
    /// Most segments of a pattern; bounds the walk that matches one.
    package static let maximumDepth = 64

    enum Segment: Sendable, Equatable {
        case literal([UInt8])
        /// `{name}`, or `*` with no name.
        case capture(String?)
    }

    /// The pattern as written.
    package let text: String
    let segments: [Segment]
    /// Whether the pattern ends in `**`: zero or more further segments, which templates call `{rest}`.
    package let hasRest: Bool

    /// Compiles a pattern; O(length).
    package init(_ text: String) throws(RoutingError) {
        guard text.utf8.first == UInt8(ascii: "/") else { throw .patternNotAbsolute(text) }
        var parts = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { Array($0) }
        if parts.last == [] { parts.removeLast() }
        guard parts.count <= RoutePattern.maximumDepth else { throw .patternTooDeep(text) }
        let isRest = { (part: [UInt8]) in part == Array("**".utf8) || part == Array("{rest}".utf8) }
        hasRest = parts.last.map(isRest) ?? false
        if hasRest { parts.removeLast() }
        guard !parts.contains(where: isRest) else { throw .restNotLast(pattern: text) }
        var segments: [Segment] = []
        var names: Set<String> = []
        for part in parts {
            let segment = try RoutePattern.segment(part, of: text)
            if case .capture(.some(let name)) = segment, !names.insert(name).inserted {
                throw .duplicateCapture(pattern: text, name: name)
            }
            segments.append(segment)
        }
        self.text = text
        self.segments = segments
    }

    /// Names that templates may use: the captures, and `rest` where the pattern ends in `**`.
    package var captureNames: [String] {
        let names = segments.compactMap { segment -> String? in
            switch segment {
            case .literal: nil
            case .capture(let name): name
            }
        }
        return names + (hasRest ? ["rest"] : [])
    }

    private static func segment(_ part: [UInt8], of text: String) throws(RoutingError) -> Segment {
        let word = String(decoding: part, as: UTF8.self)
        guard !part.isEmpty else { throw .emptySegment(pattern: text) }
        if part == [UInt8(ascii: "*")] { return .capture(nil) }
        if part.contains(UInt8(ascii: "{")) || part.contains(UInt8(ascii: "}")) {
            let name = part.dropFirst().dropLast()
            guard part.first == UInt8(ascii: "{"), part.last == UInt8(ascii: "}"), !name.isEmpty,
                name.allSatisfy(isNameByte)
            else { throw .badCapture(pattern: text, segment: word) }
            return .capture(String(decoding: name, as: UTF8.self))
        }
        guard word != "." && word != ".." else { throw .dotSegment(pattern: text) }
        let isForbidden = { (byte: UInt8) in
            byte < 0x20 || byte == 0x7F || [UInt8]("\\*%?#".utf8).contains(byte)
        }
        guard !part.contains(where: isForbidden) else { throw .forbiddenCharacter(pattern: text, segment: word) }
        return .literal(part)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// One route as configured.
package struct RouteRule: Sendable, Equatable {
    package var name: String
    /// `api.example.com`, or `*.example.com` for names of any depth below it; empty for every host.
    package var hosts: [String]
    package var path: RoutePattern
    /// Methods in capitals; nil for all. GET brings HEAD along (RFC 9110 §9.3.2).
    package var methods: [String]?

    package init(name: String, hosts: [String] = [], path: RoutePattern, methods: [String]? = nil) {
        self.name = name
        self.hosts = hosts
        self.path = path
        self.methods = methods
    }

    /// A rule whose pattern is still text.
    package init(
        name: String, hosts: [String] = [], path: String, methods: [String]? = nil
    ) throws(RoutingError) {
        self.init(name: name, hosts: hosts, path: try RoutePattern(path), methods: methods)
    }
}

/// Where a request goes.
package enum RouteMatch: Sendable, Equatable {
    /// `index` is that of the rule; `restStart` the index of the first path segment that `**` took, or the number of
    /// segments when the pattern has no `**`.
    case route(index: Int, restStart: Int)
    case notFound
    /// The path has routes, but none for the method; `allow` is the value of the Allow field (RFC 9110 §10.2.1).
    case methodNotAllowed(allow: [UInt8])
}
