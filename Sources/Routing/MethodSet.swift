import Wire

/// The methods a route takes.
struct MethodSet: Sendable, Equatable {
    /// Names in declared order, HEAD after GET; nil for every method.
    let names: [[UInt8]]?
    /// One bit for each known method of ``names``, by raw value.
    let known: UInt16
    /// Those of ``names`` that ``Method`` does not know.
    let others: [[UInt8]]

    init(_ rule: RouteRule) throws(RoutingError) {
        guard let methods = rule.methods else {
            names = nil
            known = .max
            others = []
            return
        }
        guard !methods.isEmpty else { throw .noMethods(route: rule.name) }
        var names: [[UInt8]] = []
        var known: UInt16 = 0
        var others: [[UInt8]] = []
        for method in methods {
            let name = Array(method.utf8)
            // A token (RFC 9110 §5.6.2), less the small letters: `get` would never match a request.
            guard (1...32).contains(name.count), name.allSatisfy(MethodSet.isMethodByte) else {
                throw .badMethod(route: rule.name, method: method)
            }
            for name in name == MethodSet.get ? [name, MethodSet.head] : [name] where !names.contains(name) {
                names.append(name)
                if let method = MethodSet.method(name) {
                    known |= 1 << UInt16(method.rawValue)
                } else {
                    others.append(name)
                }
            }
        }
        self.names = names
        self.known = known
        self.others = others
    }

    /// Whether a method that ``Method`` does not know is among ``others``.
    func containsOther(_ bytes: Span<UInt8>) -> Bool {
        for name in others where compare(name.span, bytes) == 0 { return true }
        return false
    }

    /// Whether every method of `other` is in this set too.
    func covers(_ other: MethodSet) -> Bool {
        guard let names else { return true }
        guard let others = other.names else { return false }
        return others.allSatisfy { names.contains($0) }
    }

    private static let get = Array("GET".utf8)
    private static let head = Array("HEAD".utf8)

    private static func method(_ name: [UInt8]) -> Method? {
        Method.allCases.first { spelling($0).map { $0.utf8.elementsEqual(name) } ?? false }
    }

    private static func spelling(_ method: Method) -> String? {
        switch method {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .patch: "PATCH"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: nil
        }
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
