import Crypto
import FoundationEssentials

/// A SHA-256 value as four words: hashable without an allocation, comparable without a branch per byte.
package struct SHA256Value: Sendable, Hashable {
    private let words: InlineWords

    private struct InlineWords: Sendable, Hashable {
        var a: UInt64 = 0
        var b: UInt64 = 0
        var c: UInt64 = 0
        var d: UInt64 = 0

        // Constant time: how long a comparison takes says nothing about the digests.
        static func == (left: InlineWords, right: InlineWords) -> Bool {
            (left.a ^ right.a) | (left.b ^ right.b) | (left.c ^ right.c) | (left.d ^ right.d) == 0
        }
    }

    /// Nil unless there are exactly 32 bytes.
    package init?(_ bytes: some Sequence<UInt8>) {
        var words: [UInt64] = []
        var word: UInt64 = 0
        var count = 0
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            count += 1
            if count % 8 == 0 { words.append(word) }
        }
        guard count == 32 else { return nil }
        self.words = InlineWords(a: words[0], b: words[1], c: words[2], d: words[3])
    }

    /// The SHA-256 of a presented token.
    init?(hashing token: ArraySlice<UInt8>) {
        self.init(SHA256.hash(data: token))
    }
}
