/// Why an upstream's response head cannot be passed on: one case per reason. The client sees 502 for all of them.
package enum MalformedResponse: UInt8, Error, Sendable, CaseIterable {
    /// The answer does not begin with an HTTP version.
    case badVersion
    /// An HTTP version, but neither 1.0 nor 1.1.
    case unsupportedVersion
    /// The status code is not three digits between 100 and 599.
    case badStatus
    /// A control character in the reason phrase.
    case badReason
    /// LF without CR before it.
    case bareLF
    /// CR without LF after it.
    case bareCR
    /// A field line that begins with white space.
    case obsoleteFold
    /// An empty field name, or one with a byte that is no token character.
    case badFieldName
    /// White space inside a field name or before its colon.
    case whitespaceBeforeColon
    /// A field line without a colon.
    case missingColon
    /// A control character in a field value.
    case badFieldValue
    /// A field line or the reason phrase is longer than the limit.
    case fieldTooLarge
    /// The head is larger than the limit.
    case headTooLarge
    /// More field lines than the limit.
    case tooManyFields
    /// `Content-Length` is no plain number, or one beyond 2^63 - 1.
    case badContentLength
    /// `Content-Length` more than once.
    case conflictingLength
    /// `Transfer-Encoding` is repeated, empty, or uses `chunked` in a way that cannot be framed.
    case badTransferEncoding
    /// A transfer coding other than `chunked`.
    case unknownTransferCoding
    /// `Transfer-Encoding` in HTTP/1.0.
    case transferEncodingInHTTP10
    /// `Transfer-Encoding` beside `Content-Length`.
    case lengthWithTransferEncoding
    /// `Connection` is no list of tokens, or a very long one.
    case badConnection

    /// One sentence for the operator: what is wrong, and where.
    package var detail: StaticString {
        switch self {
        case .badVersion: "The upstream's answer does not begin with an HTTP version."
        case .unsupportedVersion: "The upstream answered in a version other than HTTP/1.0 and HTTP/1.1."
        case .badStatus: "The upstream's status code is not three digits between 100 and 599."
        case .badReason: "The upstream's reason phrase holds a control character."
        case .bareLF: "A line of the upstream's head ends with LF instead of CR LF."
        case .bareCR: "The upstream's head holds a CR that is not followed by LF."
        case .obsoleteFold: "A field line of the upstream begins with white space."
        case .badFieldName: "A field name of the upstream is not a token."
        case .whitespaceBeforeColon: "White space stands in a field name of the upstream or before its colon."
        case .missingColon: "A field line of the upstream has no colon."
        case .badFieldValue: "A field value of the upstream holds a control character."
        case .fieldTooLarge: "A field of the upstream's head is too large."
        case .headTooLarge: "The upstream's head is too large."
        case .tooManyFields: "The upstream's head has too many fields."
        case .badContentLength: "The upstream's Content-Length is not a decimal number."
        case .conflictingLength: "The upstream sent Content-Length more than once."
        case .badTransferEncoding: "The upstream's Transfer-Encoding is not exactly chunked."
        case .unknownTransferCoding: "The upstream used a transfer coding other than chunked."
        case .transferEncodingInHTTP10: "The upstream used Transfer-Encoding in HTTP/1.0."
        case .lengthWithTransferEncoding: "The upstream sent Content-Length and Transfer-Encoding together."
        case .badConnection: "The upstream's Connection is not a short list of tokens."
        }
    }
}
