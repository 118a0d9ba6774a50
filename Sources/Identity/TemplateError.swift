/// Why a template does not compile, and at which byte of it.
package struct TemplateError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The byte offset of the offence in the template's text.
    package let offset: Int
    /// What is wrong there.
    package let reason: Reason

    /// The ways a template can fail.
    package enum Reason: Sendable, Equatable {
        case empty
        case unclosedPlaceholder
        case strayClosing
        case unknownSource(String, ClaimTemplate.Source)
        case badPath(ClaimTemplate.Source)
        case expectedFunction
        case unknownFunction(String, nearest: String)
        case expected(String)
        case unclosedQuote
        case wrongArgumentCount(function: String, wanted: String)
        case emptyArgument(function: String)
        case unknownComparison(String, nearest: String)
    }

    /// What is wrong and the way out, with the position counted from 1.
    package var description: String {
        "at character \(offset + 1): \(explanation)"
    }

    private var explanation: String {
        switch reason {
        case .empty: "the template is empty; write a placeholder such as {{ jwt:sub }} or a constant"
        case .unclosedPlaceholder: "the placeholder that begins here is not closed; end it with }}"
        case .strayClosing: "}} closes nothing; remove it or open a placeholder with {{ before it"
        case .unknownSource(let name, let source):
            "'\(name)' names no claim; a placeholder begins with \(source.prefix), as in \(source.example)"
        case .badPath(let source):
            "a claim is wanted after \(source.prefix), without a leading slash and with at most \(ClaimPath.maximumSlashes) slashes"
        case .expectedFunction: "a function such as fn:lower() is wanted after |"
        case .unknownFunction(let name, let nearest): "there is no function fn:\(name); did you mean fn:\(nearest)?"
        case .expected(let what): "\(what) is wanted here"
        case .unclosedQuote: "the quote that begins here is not closed"
        case .wrongArgumentCount(let function, let wanted): "fn:\(function) takes \(wanted)"
        case .emptyArgument(let function): "the text that fn:\(function) looks for must not be empty"
        case .unknownComparison(let name, let nearest):
            "there is no comparison '\(name)'; did you mean '\(nearest)'? (eq, ne and like exist)"
        }
    }
}
