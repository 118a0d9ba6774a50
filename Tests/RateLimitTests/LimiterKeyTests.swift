import RateLimit
import Testing

@Suite struct LimiterKeyTests {
    @Test func `equal names in one namespace are one key, however they are given`() {
        let bytes = Array("client-1".utf8)
        #expect(LimiterKey(namespace: 1, "client-1") == LimiterKey(namespace: 1, bytes))
        #expect(LimiterKey(namespace: 1, bytes: bytes.span) == LimiterKey(namespace: 1, bytes))
    }

    @Test func `a qualified name is that of both with NUL between them`() {
        // Longer than the words and blocks that are hashed at a time, at each of their boundaries.
        for first in 0..<20 {
            for second in 0..<20 {
                let (qualifier, name) = (
                    String(repeating: "q", count: first), String(repeating: "\u{E9}", count: second)
                )
                #expect(
                    LimiterKey(namespace: 3, qualifier: qualifier, name)
                        == LimiterKey(namespace: 3, Array(qualifier.utf8) + [0] + Array(name.utf8)))
            }
        }
    }

    @Test func `namespaces, lengths and bytes tell keys apart`() {
        var keys: Set<LimiterKey> = []
        for namespace in UInt8(0)..<4 {
            for name in ["", "a", "b", "aa", "a\u{0}", "\u{E9}", "e\u{301}", String(repeating: "a", count: 4096)] {
                keys.insert(LimiterKey(namespace: namespace, name))
            }
        }
        #expect(keys.count == 32)
    }

    @Test func `a hundred thousand names are a hundred thousand keys`() {
        #expect(Set((0..<100_000).map { LimiterKey(namespace: 0, "client-\($0)") }).count == 100_000)
    }
}
