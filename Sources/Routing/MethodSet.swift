/// The methods a route takes.
struct MethodSet: Sendable, Equatable {
    /// Names in declared order, HEAD after GET; nil for every method.
    let names: [[UInt8]]?

    init(_ rule: RouteRule) throws(RoutingError) {
        guard let methods = rule.methods else {
            names = nil
            return
        }
        guard !methods.isEmpty else { throw .noMethods(route: rule.name) }
        var names: [[UInt8]] = []
        let head = Array("HEAD".utf8)
        for method in methods {
            let name = Array(method.utf8)
            // RFC 9110 §5.6.2 token, less the lower-case letters: `get` would never match a request.
            guard !name.isEmpty, name.allSatisfy(MethodSet.isMethodByte) else {
                throw .badMethod(route: rule.name, method: method)
            }
            if !names.contains(name) { names.append(name) }
            if name == Array("GET".utf8), !names.contains(head) { names.append(head) }
        }
        self.names = names
    }

    func contains(_ method: Span<UInt8>) -> Bool {
        guard let names else { return true }
        for name in names where name.count == method.count {
            let bytes = name.span
            var index = 0
            while index < bytes.count && bytes[index] == method[index] { index += 1 }
            if index == bytes.count { return true }
        }
        return false
    }

    /// Whether every method of `other` is in this set too.
    func covers(_ other: MethodSet) -> Bool {
        guard let names else { return true }
        guard let others = other.names else { return false }
        return others.allSatisfy { names.contains($0) }
    }

    private static func isMethodByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
