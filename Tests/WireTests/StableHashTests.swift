import Testing
import Wire

@Suite struct StableHashTests {
    private func hash(_ text: String) -> UInt64 {
        var hash = StableHash()
        hash.combine(text.utf8)
        return hash.value
    }

    /// Changing these would send every client to another endpoint during an upgrade.
    @Test func theValuesAreForEver() {
        #expect(StableHash.mix(0) == 0xe220_a839_7b1d_cdaf, "the first number of SplitMix64 with seed 0")
        #expect(hash("") == StableHash.mix(0xcbf2_9ce4_8422_2325))
        #expect(hash("a") == StableHash.mix(0xaf63_dc4c_8601_ec8c), "FNV-1a's own test vector")
        #expect(hash("foobar") == StableHash.mix(0x8594_4171_f739_67e8), "another")
    }

    @Test func piecesAreOneText() {
        var pieces = StableHash()
        pieces.combine("foo".utf8)
        pieces.combine("bar".utf8)
        #expect(pieces.value == hash("foobar"))
    }
}
