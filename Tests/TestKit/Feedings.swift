package import NIOCore

/// One way of cutting the same bytes into the pieces in which a peer's data might arrive.
package struct Feeding: Sendable, CustomStringConvertible {
    /// What to print when a test fails with this cut.
    package let name: String
    /// The pieces in order; together they are exactly the input. Never an empty piece.
    package let pieces: [ByteBuffer]

    package var description: String { name }
}

/// The cuts every parser is tested with: whole, byte by byte, and some random ones that depend on the seed alone.
///
/// Inputs of more than 4096 bytes are not cut into single bytes but into pieces of 64, to keep the tests quick.
package func feedings(of bytes: [UInt8], randomCuts: Int = 4, seed: UInt64 = 1) -> [Feeding] {
    guard !bytes.isEmpty else { return [Feeding(name: "empty", pieces: [])] }
    var result = [Feeding(name: "whole", pieces: [ByteBuffer(bytes: bytes)])]
    let step = bytes.count > 4096 ? 64 : 1
    result.append(Feeding(name: "by \(step)", pieces: pieces(of: bytes) { _ in step }))
    var random = SeededGenerator(seed: seed)
    for cut in 0..<randomCuts {
        let widest = max(1, bytes.count / (1 << cut))
        result.append(
            Feeding(
                name: "random \(cut) of seed \(seed)",
                pieces: pieces(of: bytes) { _ in Int.random(in: 1...widest, using: &random) }))
    }
    return result
}

/// The same for text of which every scalar is one byte (Latin-1), as the oracles write raw HTTP.
package func feedings(ofLatin1 text: String, randomCuts: Int = 4, seed: UInt64 = 1) -> [Feeding] {
    feedings(of: latin1(text), randomCuts: randomCuts, seed: seed)
}

/// The bytes of a text in Latin-1; a scalar above U+00FF becomes `?`, which no oracle holds.
package func latin1(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(exactly: $0.value) ?? UInt8(ascii: "?") }
}

private func pieces(of bytes: [UInt8], width: (Int) -> Int) -> [ByteBuffer] {
    var result: [ByteBuffer] = []
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + max(1, width(start)))
        result.append(ByteBuffer(bytes: bytes[start..<end]))
        start = end
    }
    return result
}
