/// Why a request head is refused: one case per reason.
///
/// The parser picks no status. `category` says what kind of refusal it is and the gate maps that to a status; `detail`
/// is a sentence for the client that holds nothing the client sent.
package enum MalformedRequest: UInt8, Error, Sendable, CaseIterable {
    /// More empty lines before the request-line than the parser skips.
    case tooManyEmptyLines
    /// The method is empty or holds a byte that is no token character.
    case badMethod
    /// The method is longer than any the gateway knows.
    case methodTooLong
    /// The request-target has no valid form for its method, or holds a byte no URI may hold.
    case badTarget
    /// The request-target is longer than the limit.
    case targetTooLong
    /// What stands where the version belongs is no HTTP version.
    case badVersion
    /// An HTTP version, but neither 1.0 nor 1.1.
    case unsupportedVersion
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
    /// A field line longer than the limit.
    case fieldTooLarge
    /// The head is larger than the limit.
    case headTooLarge
    /// More field lines than the limit.
    case tooManyFields
    /// HTTP/1.1 without `Host`.
    case missingHost
    /// `Host` more than once.
    case duplicateHost
    /// `Host` is no valid host and port.
    case badHost
    /// The target's authority and `Host` name different servers.
    case hostMismatch
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
    /// `Authorization` more than once.
    case duplicateAuthorization
    /// `X-CR-Api-Token` more than once.
    case duplicateAPIToken
    /// `Expect` more than once.
    case duplicateExpect
    /// An expectation other than `100-continue`.
    case unsupportedExpectation
    /// `Connection` is no list of tokens, or a very long one.
    case badConnection
    /// `Connection` names a field that must reach the gateway or the upstream.
    case protectedFieldNominated
    /// The fields of an HTTP/2 stream are no request (RFC 9113 §8.1.1).
    case notARequest

    /// The kinds of refusal.
    package enum Category: Sendable {
        /// The request cannot be read in one certain way (400).
        case syntax
        /// Two credentials contradict each other (400 with a challenge).
        case contradictoryCredentials
        /// The method is unknown (501).
        case methodUnsupported
        /// The request-target is too long (414).
        case targetTooLong
        /// The head, a field or the number of fields is too large (431).
        case headTooLarge
        /// The protocol version is not spoken here (505).
        case versionUnsupported
        /// The transfer coding is unknown (501).
        case codingUnsupported
        /// The expectation cannot be met (417).
        case expectationUnsupported
    }

    /// What kind of refusal this is.
    package var category: Category {
        switch self {
        case .tooManyEmptyLines, .badMethod, .badTarget, .badVersion, .bareLF, .bareCR, .obsoleteFold, .badFieldName,
            .whitespaceBeforeColon, .missingColon, .badFieldValue, .missingHost, .duplicateHost, .badHost,
            .hostMismatch, .badContentLength, .conflictingLength, .badTransferEncoding, .transferEncodingInHTTP10,
            .lengthWithTransferEncoding, .duplicateExpect, .badConnection, .protectedFieldNominated,
            .notARequest:
            .syntax
        case .duplicateAuthorization, .duplicateAPIToken: .contradictoryCredentials
        case .methodTooLong: .methodUnsupported
        case .targetTooLong: .targetTooLong
        case .fieldTooLarge, .headTooLarge, .tooManyFields: .headTooLarge
        case .unsupportedVersion: .versionUnsupported
        case .unknownTransferCoding: .codingUnsupported
        case .unsupportedExpectation: .expectationUnsupported
        }
    }

    /// One sentence for the client: what is wrong, and where.
    package var detail: StaticString {
        switch self {
        case .tooManyEmptyLines: "Too many empty lines before the request line."
        case .badMethod: "The method is not a token."
        case .methodTooLong: "The method is longer than any this server implements."
        case .badTarget: "The request target is not valid for this method."
        case .targetTooLong: "The request target is too long."
        case .badVersion: "The request line does not end with an HTTP version."
        case .unsupportedVersion: "This listener speaks HTTP/1.0 and HTTP/1.1."
        case .bareLF: "A line of the head ends with LF instead of CR LF."
        case .bareCR: "The head holds a CR that is not followed by LF."
        case .obsoleteFold: "A field line begins with white space; line folding is not accepted."
        case .badFieldName: "A field name is not a token."
        case .whitespaceBeforeColon: "White space stands in a field name or before its colon."
        case .missingColon: "A field line has no colon."
        case .badFieldValue: "A field value holds a control character."
        case .fieldTooLarge: "A field is too large."
        case .headTooLarge: "The head of the request is too large."
        case .tooManyFields: "The request has too many fields."
        case .missingHost: "An HTTP/1.1 request needs a Host field."
        case .duplicateHost: "Host is sent more than once."
        case .badHost: "Host is not a valid host and port."
        case .hostMismatch: "The request target and Host name different servers."
        case .badContentLength: "Content-Length is not a decimal number."
        case .conflictingLength: "Content-Length is sent more than once."
        case .badTransferEncoding: "Transfer-Encoding must be sent once and be exactly chunked."
        case .unknownTransferCoding: "The only transfer coding understood here is chunked."
        case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
        case .lengthWithTransferEncoding: "Content-Length and Transfer-Encoding exclude each other."
        case .duplicateAuthorization: "Authorization is sent more than once."
        case .duplicateAPIToken: "X-CR-Api-Token is sent more than once."
        case .duplicateExpect: "Expect is sent more than once."
        case .unsupportedExpectation: "The only expectation understood here is 100-continue."
        case .badConnection: "Connection is not a short list of tokens."
        case .protectedFieldNominated: "Connection names a field that is not specific to this connection."
        case .notARequest: "The fields are not those of a request as HTTP/2 has it."
        }
    }
}
