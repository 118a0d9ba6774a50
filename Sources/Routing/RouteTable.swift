package import Wire

/// Routes, compiled for matching without allocation.
///
/// The more specific wins, decided segment by segment from the left: literal, then `{name}` or `*`, then `**`. A host
/// of its own wins over `*.suffix`, a longer suffix over a shorter, any of them over routes for every host. Only
/// among routes with the same host and pattern does the method choose, in declared order: a method that the most
/// specific path does not take is refused and never falls through to a more general route, which might guard the same
/// path less well.
package final class RouteTable: Sendable {
    private let trie: PathTrie
    private let hosts: HostTable

    /// Compiles rules; ``RouteMatch/route(index:restStart:)`` names them by their index.
    package init(_ rules: [RouteRule]) throws(RoutingError) {
        var builder = PathTrieBuilder()
        var hosts = HostTableBuilder(general: builder.root())
        for (index, rule) in rules.enumerated() {
            let methods = try MethodSet(rule)
            if rule.hosts.isEmpty {
                try builder.add(rule.path, root: hosts.general, rule: index, name: rule.name, methods: methods)
            }
            for host in rule.hosts {
                let root = try hosts.root(of: host, route: rule.name) { builder.root() }
                try builder.add(rule.path, root: root, rule: index, name: rule.name, methods: methods)
            }
        }
        trie = builder.build()
        self.hosts = hosts.build()
    }

    /// The route for a request. `methodBytes` is the method as sent, looked at only where `method` is `.other`;
    /// `host` is the Host field or authority, compared without case, port and trailing dot. O(nodes of the table) at
    /// worst, no allocation.
    package func match(
        method: Method, methodBytes: Span<UInt8>, host: Span<UInt8>, path: borrowing NormalPath
    ) -> RouteMatch {
        if !hosts.isEmpty {
            let name = HostTable.name(in: host)
            if let root = hosts.exact(host.extracting(name)),
                let match = choose(root, method, methodBytes, path)
            {
                return match
            }
            var start = name.lowerBound
            while start < name.upperBound {
                // Labels go one by one, so that the longest suffix is tried first.
                if host[start] == UInt8(ascii: "."), let root = hosts.suffix(host.extracting(start..<name.upperBound)),
                    start > name.lowerBound, let match = choose(root, method, methodBytes, path)
                {
                    return match
                }
                start += 1
            }
        }
        return choose(hosts.general, method, methodBytes, path) ?? .notFound
    }

    private func choose(
        _ root: Int32, _ method: Method, _ methodBytes: Span<UInt8>, _ path: borrowing NormalPath
    ) -> RouteMatch? {
        guard let found = trie.find(root, path) else { return nil }
        if let rule = trie.rule(at: found.terminal, method, methodBytes) {
            return .route(index: rule, restStart: found.restStart)
        }
        return .methodNotAllowed(allow: trie.allows[Int(found.terminal)])
    }
}
