import StrictJSON

/// What one step of a decision found, as a line for people and a member for programs.
struct ExplanationStep {
    /// What the step is called: `route`, `policy`.
    let name: String
    /// Whether the request got past it.
    let passed: Bool
    /// One sentence.
    let summary: String
    /// What it rests on, in order.
    var facts: [(name: String, value: String)] = []
}

/// A decision, step by step.
struct Explanation {
    var steps: [ExplanationStep] = []
    /// The status of the gateway's own answer, nil when the request would be forwarded.
    var refusal: (status: Int, reason: String, detail: String)?
    /// The head that the upstream would get.
    var forwarded: String?

    /// For people.
    func text() -> String {
        var text = ""
        for step in steps {
            text += "\(step.passed ? "ok  " : "NO  ")\(step.name): \(step.summary)\n"
            let width = step.facts.map(\.name.count).max() ?? 0
            for fact in step.facts {
                let padding = String(repeating: " ", count: width - fact.name.count)
                text += "      \(fact.name)\(padding)  \(escaped(fact.value))\n"
            }
        }
        if let refusal {
            text += "\nanswer: \(refusal.status) (\(refusal.reason))\n        \(refusal.detail)\n"
        }
        if let forwarded {
            text += "\nforwarded as:\n"
            for line in forwarded.split(separator: "\r\n") { text += "        \(escaped(String(line)))\n" }
        }
        return text
    }

    /// For programs.
    func json() -> [UInt8] {
        var writer = JSONWriter(indentation: 2)
        writer.object { object in
            object.member("admitted", refusal == nil)
            if let refusal {
                object.member("status", refusal.status)
                object.member("reason", refusal.reason)
                object.member("detail", refusal.detail)
            }
            object.member("steps") { $0.array { array in for step in steps { step.write(to: &array) } } }
            if let forwarded {
                object.member("forwarded") { value in
                    value.array { array in
                        for line in forwarded.split(separator: "\r\n") { array.string(String(line)) }
                    }
                }
            }
        }
        return writer.finish()
    }

    /// Control characters as Swift would write them, so that a header cannot steer the terminal.
    private func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { escaped, scalar in
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            escaped += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
}

extension ExplanationStep {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { object in
            object.member("step", name)
            object.member("passed", passed)
            object.member("summary", summary)
            object.member("facts") { value in
                value.object { facts in for fact in self.facts { facts.member(fact.name, fact.value) } }
            }
        }
    }
}
