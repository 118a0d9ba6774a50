/// What can be wrong with a field section, in a request as in a response; each parser reports it in its own words.
enum FieldDefect: Sendable {
    case bareLF, bareCR, obsoleteFold, badFieldName, whitespaceBeforeColon, missingColon, badFieldValue, fieldTooLarge,
        headTooLarge, tooManyFields, badContentLength, conflictingLength, badTransferEncoding, unknownTransferCoding,
        transferEncodingInHTTP10, lengthWithTransferEncoding, badConnection

    var inRequest: MalformedRequest {
        switch self {
        case .bareLF: .bareLF
        case .bareCR: .bareCR
        case .obsoleteFold: .obsoleteFold
        case .badFieldName: .badFieldName
        case .whitespaceBeforeColon: .whitespaceBeforeColon
        case .missingColon: .missingColon
        case .badFieldValue: .badFieldValue
        case .fieldTooLarge: .fieldTooLarge
        case .headTooLarge: .headTooLarge
        case .tooManyFields: .tooManyFields
        case .badContentLength: .badContentLength
        case .conflictingLength: .conflictingLength
        case .badTransferEncoding: .badTransferEncoding
        case .unknownTransferCoding: .unknownTransferCoding
        case .transferEncodingInHTTP10: .transferEncodingInHTTP10
        case .lengthWithTransferEncoding: .lengthWithTransferEncoding
        case .badConnection: .badConnection
        }
    }

    var inResponse: MalformedResponse {
        switch self {
        case .bareLF: .bareLF
        case .bareCR: .bareCR
        case .obsoleteFold: .obsoleteFold
        case .badFieldName: .badFieldName
        case .whitespaceBeforeColon: .whitespaceBeforeColon
        case .missingColon: .missingColon
        case .badFieldValue: .badFieldValue
        case .fieldTooLarge: .fieldTooLarge
        case .headTooLarge: .headTooLarge
        case .tooManyFields: .tooManyFields
        case .badContentLength: .badContentLength
        case .conflictingLength: .conflictingLength
        case .badTransferEncoding: .badTransferEncoding
        case .unknownTransferCoding: .unknownTransferCoding
        case .transferEncodingInHTTP10: .transferEncodingInHTTP10
        case .lengthWithTransferEncoding: .lengthWithTransferEncoding
        case .badConnection: .badConnection
        }
    }
}
