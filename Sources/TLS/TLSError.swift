import CTLS

/// Why a TLS context cannot be made of what the configuration gives.
package enum TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A certificate or its key cannot be used; `index` counts from 0.
    case certificate(index: Int, reason: String)
    /// The key of a certificate cannot be used, or belongs to another; `index` counts from 0.
    case key(index: Int, reason: String)
    /// The authorities cannot be used.
    case authorities(reason: String)
    /// The library refuses something that does not come from the configuration.
    case library(reason: String)

    /// What is wrong, as the middle of a sentence.
    package var reason: String {
        switch self {
        case .certificate(_, let reason), .key(_, let reason), .authorities(let reason), .library(let reason): reason
        }
    }

    package var description: String {
        switch self {
        case .certificate(let index, let reason): "certificate \(index): \(reason)"
        case .key(let index, let reason): "key \(index): \(reason)"
        case .authorities(let reason): "authorities: \(reason)"
        case .library(let reason): "TLS: \(reason)"
        }
    }
}

extension TLSError {
    /// What adding a certificate came to in C, when it was not 1.
    init(adding result: Int32, index: Int, reason: String) {
        self =
            result == TOLLGATE_TLS_BAD_KEY
            ? .key(index: index, reason: reason) : .certificate(index: index, reason: reason)
    }
}

/// Room for the text of an error, filled by C.
struct ErrorText {
    var bytes = [CChar](repeating: 0, count: Int(TOLLGATE_TLS_ERROR))

    var text: String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
