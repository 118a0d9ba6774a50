/// Hosts that have routes of their own, sorted for binary search; lower case, without port and trailing dot.
struct HostTable: Sendable {
    struct Host: Sendable {
        var lower: Int32
        var upper: Int32
        var root: Int32
    }

    let exact: [Host]
    /// `*.example.com` as `.example.com`.
    let suffixes: [Host]
    /// The names, end to end.
    let text: [UInt8]
    /// Root of the routes for every host.
    let general: Int32

    var isEmpty: Bool { exact.isEmpty && suffixes.isEmpty }

    func exact(_ name: Span<UInt8>) -> Int32? { search(exact, name) }

    func suffix(_ name: Span<UInt8>) -> Int32? { search(suffixes, name) }

    /// Where the name stands in a Host field or authority: before the port, less one trailing dot. `[::1]` keeps its
    /// brackets.
    static func name(in host: Span<UInt8>) -> Range<Int> {
        var upper = host.count
        for index in host.indices.reversed() {
            if host[index] == UInt8(ascii: "]") { break }
            if host[index] == UInt8(ascii: ":") {
                upper = index
                break
            }
        }
        if upper > 0, host[upper - 1] == UInt8(ascii: ".") { upper -= 1 }
        return 0..<upper
    }

    private func search(_ hosts: [Host], _ name: Span<UInt8>) -> Int32? {
        var low = 0
        var high = hosts.count
        while low < high {
            let middle = (low + high) / 2
            let host = hosts[middle]
            let order = HostTable.compareFolded(text.span.extracting(Int(host.lower)..<Int(host.upper)), name)
            if order == 0 { return host.root }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    /// Like ``compare(_:_:)``, with ASCII capitals of `second` as small letters; `first` has none.
    private static func compareFolded(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Int {
        let common = min(first.count, second.count)
        for index in 0..<common {
            let byte = lowered(second[index])
            if first[index] != byte { return Int(first[index]) - Int(byte) }
        }
        return first.count - second.count
    }

    static func lowered(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

/// Collects hosts and sorts them into a ``HostTable``.
struct HostTableBuilder {
    let general: Int32
    private var exact: [[UInt8]: Int32] = [:]
    private var suffixes: [[UInt8]: Int32] = [:]

    init(general: Int32) {
        self.general = general
    }

    /// The root of a host's routes, made when the host is new.
    mutating func root(
        of host: String, route: String, make: () -> Int32
    ) throws(RoutingError) -> Int32 {
        var name = host.utf8.map(HostTable.lowered)
        if name.last == UInt8(ascii: ".") { name.removeLast() }
        let isSuffix = name.starts(with: "*.".utf8)
        if isSuffix { name.removeFirst() }
        let labels = name.drop { isSuffix && $0 == UInt8(ascii: ".") }
        let isAddress = !isSuffix && name.first == UInt8(ascii: "[") && name.last == UInt8(ascii: "]")
        guard !labels.isEmpty, isAddress || HostTableBuilder.isName(labels) else {
            throw .badHost(route: route, host: host)
        }
        if let known = isSuffix ? suffixes[name] : exact[name] { return known }
        let root = make()
        if isSuffix { suffixes[name] = root } else { exact[name] = root }
        return root
    }

    func build() -> HostTable {
        var text: [UInt8] = []
        let exact = HostTableBuilder.sorted(exact, text: &text)
        let suffixes = HostTableBuilder.sorted(suffixes, text: &text)
        return HostTable(exact: exact, suffixes: suffixes, text: text, general: general)
    }

    private static func sorted(_ hosts: [[UInt8]: Int32], text: inout [UInt8]) -> [HostTable.Host] {
        var result: [HostTable.Host] = []
        for (name, root) in hosts.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let lower = Int32(text.count)
            text += name
            result.append(HostTable.Host(lower: lower, upper: Int32(text.count), root: root))
        }
        return result
    }

    private static func isName(_ labels: ArraySlice<UInt8>) -> Bool {
        let parts = labels.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.allSatisfy { part in
            !part.isEmpty
                && part.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }
}
