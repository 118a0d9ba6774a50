/// Why a request path is refused before anything looks at it: two readers could understand it differently.
package enum PathDefect: Error, Sendable, Equatable, CaseIterable {
    case notAbsolute
    case tooLong
    case forbiddenCharacter
    case malformedEscape
    case encodedSeparator
    case encodedControl
    case doubleEncoding
    case overlongEncoding
    case backslash
    case dotSegmentParameter
    case aboveRoot

    /// One sentence for the client; reveals nothing but what it sent.
    package var detail: StaticString {
        switch self {
        case .notAbsolute: "The path does not begin with a slash."
        case .tooLong: "The path is longer than 65535 bytes."
        case .forbiddenCharacter: "The path holds a character that must be percent-encoded."
        case .malformedEscape: "The path holds a percent sign that two hexadecimal digits do not follow."
        case .encodedSeparator: "The path holds an encoded slash or backslash."
        case .encodedControl: "The path holds an encoded control character."
        case .doubleEncoding: "The path is percent-encoded twice."
        case .overlongEncoding: "The path holds an overlong UTF-8 sequence."
        case .backslash: "The path holds a backslash."
        case .dotSegmentParameter: "The path holds a dot segment with a parameter."
        case .aboveRoot: "The path leads above the root."
        }
    }
}
