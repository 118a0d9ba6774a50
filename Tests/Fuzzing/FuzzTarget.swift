import TestKit

/// Something that reads what strangers send: inputs it understands, and what must hold for every input.
///
/// The input of a round depends on the seed, the target's name and the round alone, so that each can be had again.
package struct FuzzTarget: Sendable {
    /// What came of an input.
    package enum Verdict: Sendable, Equatable {
        /// It was understood.
        case taken
        /// It was refused, as an input may be.
        case refused
        /// What must hold does not: a sentence.
        case wrong(String)
    }

    /// As it is asked for by.
    package let name: String
    /// Inputs to begin with.
    let corpus: [[UInt8]]
    /// What to put into them.
    let words: [[UInt8]]
    /// Treats the input, and says whether all was as it must be.
    package let verdict: @Sendable ([UInt8]) -> Verdict

    init(
        _ name: String, corpus: [[UInt8]], words: [[UInt8]], _ verdict: @escaping @Sendable ([UInt8]) -> Verdict
    ) {
        self.name = name
        self.corpus = corpus
        self.words = words
        self.verdict = verdict
    }

    /// All of them, in the order in which a request meets them.
    package static let all: [FuzzTarget] =
        [proxyHeader, requests, responses, bodies, webSocket, http2Bytes, http2Frames, http2Answers, hpack, path]
        + [credentials, claims, json, policies, settings, tokenFile]

    /// The input of a round.
    package func input(seed: UInt64, round: UInt64) -> [UInt8] {
        var hash = seed
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        var random = SeededGenerator(seed: hash &+ round &* 0xD1B5_4A32_D192_ED03)
        return Mutation(corpus: corpus, words: words).input(&random)
    }
}

extension FuzzTarget.Verdict {
    /// The first that is wrong, or else what was said first.
    static func all(_ verdicts: [FuzzTarget.Verdict]) -> FuzzTarget.Verdict {
        for verdict in verdicts { if case .wrong = verdict { return verdict } }
        return verdicts.first ?? .refused
    }
}
