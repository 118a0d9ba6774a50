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
        var words = InlineWords()
        var word: UInt64 = 0
        var count = 0
        for byte in bytes {
            word = word << 8 | UInt64(byte)
            count += 1
            switch count {
            case 8: words.a = word
            case 16: words.b = word
            case 24: words.c = word
            case 32: words.d = word
            case 33: return nil
            default: break
            }
        }
        guard count == 32 else { return nil }
        self.words = words
    }

    init(_ digest: SHA256Digest) {
        // Unsafe: a digest of SHA-256 has 32 bytes, of which every bit pattern is a word.
        words = unsafe digest.withUnsafeBytes { bytes in
            unsafe InlineWords(
                a: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self).bigEndian,
                b: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian,
                c: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self).bigEndian,
                d: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self).bigEndian)
        }
    }

    /// The SHA-256 of a presented token.
    init(hashing token: ArraySlice<UInt8>) {
        self.init(SHA256.hash(data: token))
    }

    /// The first eight bytes, for finding a place in a table.
    var word: UInt64 { words.a }
}
