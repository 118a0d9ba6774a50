import StrictJSON
import TestKit
import Testing

/// The members of a problem document.
struct Problem {
    let json: JSON

    /// Checks the form that every refusal of the gateway has: RFC 9457 with a decision id that also stands in
    /// `x-request-id`.
    init(_ answer: Message?, status: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try #require(answer, "no answer", sourceLocation: sourceLocation)
        #expect(answer.status == status, "\(answer.text)", sourceLocation: sourceLocation)
        #expect(answer.value("content-type") == "application/problem+json", sourceLocation: sourceLocation)
        #expect(answer.value("x-origin") == nil, sourceLocation: sourceLocation)
        json = try JSON.parse(answer.body, limits: .configuration)
        #expect(json.member("status")?.number?.integer == Int64(answer.status), sourceLocation: sourceLocation)
        for name in ["type", "title", "detail", "decision"] {
            let text = json.member(name)?.string ?? ""
            #expect(!text.isEmpty, "no member \(name)", sourceLocation: sourceLocation)
        }
        #expect(answer.value("x-request-id") == decision, sourceLocation: sourceLocation)
    }

    var type: String { json.member("type")?.string ?? "" }
    var decision: String { json.member("decision")?.string ?? "" }
}

/// The parameters of a `RateLimit` or `RateLimit-Policy` field with one item, such as `"default";r=359;t=1`.
func quotaParameters(_ value: String?) -> [String: Int] {
    let parts = (value ?? "").split(separator: ";", omittingEmptySubsequences: false)
    guard let name = parts.first, name.count > 2, name.hasPrefix("\""), name.hasSuffix("\"") else { return [:] }
    var result: [String: Int] = [:]
    for part in parts.dropFirst() {
        let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2, pair[1].utf8.allSatisfy({ (48...57).contains($0) }) else { return [:] }
        result[String(pair[0])] = Int(pair[1])
    }
    return result
}

/// The value of Basic credentials.
func basic(_ user: String, _ secret: String) -> (String, String) {
    ("Authorization", "Basic " + base64(Array("\(user):\(secret)".utf8)))
}
