/// Why a body cannot be relayed to its end: one case per reason.
///
/// A body that fails is never completed towards the other side: whoever relays it cuts the connection.
package enum MalformedBody: UInt8, Error, Sendable, CaseIterable {
    /// A chunk does not begin with a hexadecimal number, or something other than an extension follows it.
    case badChunkSize
    /// A chunk size of more than 64 digits, or beyond 2^63 - 1.
    case chunkTooLong
    /// The bytes after a chunk's data are not CR LF.
    case badChunkEnd
    /// A chunk extension that does not follow the grammar, or holds a control character.
    case badExtension
    /// Chunk extensions beyond the bound.
    case extensionTooLong
    /// CR without LF after it, or LF without CR before it, in the framing.
    case badLineEnd
    /// A trailer line that is no field line.
    case badTrailer
    /// A trailer section beyond the bound.
    case trailersTooLarge
    /// More content than allowed.
    case bodyTooLarge
    /// The connection ended before the body did.
    case truncated

    /// The kinds of refusal.
    package enum Category: Sendable {
        /// The body cannot be read in one certain way (400).
        case syntax
        /// More content than allowed (413).
        case contentTooLarge
        /// The trailer section is too large (431).
        case trailersTooLarge
    }

    /// What kind of refusal this is.
    package var category: Category {
        switch self {
        case .badChunkSize, .chunkTooLong, .badChunkEnd, .badExtension, .extensionTooLong, .badLineEnd, .badTrailer,
            .truncated:
            .syntax
        case .trailersTooLarge: .trailersTooLarge
        case .bodyTooLarge: .contentTooLarge
        }
    }

    /// One sentence for the client: what is wrong, and where.
    package var detail: StaticString {
        switch self {
        case .badChunkSize: "A chunk size is not a hexadecimal number."
        case .chunkTooLong: "A chunk size is too large."
        case .badChunkEnd: "The data of a chunk is not followed by CR LF."
        case .badExtension: "A chunk extension is malformed."
        case .extensionTooLong: "Chunk extensions are too long."
        case .badLineEnd: "A line of the chunked framing does not end with CR LF."
        case .badTrailer: "A trailer line is malformed."
        case .trailersTooLarge: "The trailer section is too large."
        case .bodyTooLarge: "The content is larger than this server accepts here."
        case .truncated: "The connection ended before the body did."
        }
    }
}
