package import StrictJSON

/// A rule that makes names out of a token's claims, compiled once: `{{ jwt:sub }}/{{ jwt:scp | fn:lower() }}`.
///
/// The notation is that of Eclipse Ditto. Text outside `{{ }}` is taken as it is; a template without any placeholder
/// is a constant. A placeholder names a claim:
/// - `jwt:a/b` first looks for a claim named `a/b` and then walks: the longest prefix before a `/` that names an object
///   is entered, so that `jwt:https://example.com/roles/admin` works whether the slash belongs to a name or not.
///   Arrays of objects on the way are entered element by element.
/// - Strings, numbers and booleans resolve to their text; an array resolves to each such element. `null`, objects,
///   empty strings and absent claims resolve to nothing.
/// - Several placeholders form every combination. Where one resolves to nothing, so does the whole template.
///
/// After a `|` come functions over all the values so far: `fn:split(' ')`, `fn:filter('eq'|'ne'|'like', 'pattern')`
/// (`*` any text, `?` one character), `fn:lower()`, `fn:upper()` (ASCII only), `fn:replace('a', 'b')`,
/// `fn:substring-before('x')`, `fn:substring-after('x')` (no `x`: no value), and `fn:default('x')` or
/// `fn:default(jwt:other)` for when nothing is left. All comparisons are byte by byte.
package struct ClaimTemplate: Sendable {
    /// The template as it was written.
    package let text: String

    /// What a template's placeholders look into.
    package enum Source: Sendable, Equatable {
        /// The claims of a token: `jwt:sub`.
        case token
        /// The names in a client certificate: `cert:subject.CN`.
        case certificate

        var prefix: StaticString {
            switch self {
            case .token: "jwt:"
            case .certificate: "cert:"
            }
        }

        var example: StaticString {
            switch self {
            case .token: "{{ jwt:sub }}"
            case .certificate: "{{ cert:subject.CN }}"
            }
        }
    }

    enum Segment: Sendable {
        case literal(String)
        case placeholder(ClaimPath, [ClaimFunction])
    }

    let segments: [Segment]

    /// Compiles a template. Linear in its length; the error says where it is wrong and what would be right.
    package init(_ text: String, source: Source = .token) throws(TemplateError) {
        var compiler = TemplateCompiler(text, source: source)
        self.text = text
        self.segments = try compiler.template()
    }

    /// True when no claim takes part.
    package var isConstant: Bool {
        segments.allSatisfy { segment in
            switch segment {
            case .literal: true
            case .placeholder: false
            }
        }
    }

    /// How much one resolution may produce, because claims are not ours.
    package struct Limits: Sendable {
        /// Combinations a template may resolve to.
        package var maximumValues: Int
        /// Values one placeholder may hold between two functions.
        package var maximumIntermediateValues: Int
        /// Bytes of all values together, after each step.
        package var maximumBytes: Int

        package init(maximumValues: Int, maximumIntermediateValues: Int, maximumBytes: Int) {
            self.maximumValues = maximumValues
            self.maximumIntermediateValues = maximumIntermediateValues
            self.maximumBytes = maximumBytes
        }

        /// 256 combinations, 4096 values on the way, 64 KiB.
        package static let standard = Limits(
            maximumValues: 256, maximumIntermediateValues: 4_096, maximumBytes: 65_536)
    }

    /// Every value the template has for these claims, in document order; empty when a placeholder is unresolvable.
    ///
    /// Throws rather than cutting the list short: a subject left out might be the one a policy revokes from.
    package func resolve(_ claims: JSON, limits: Limits = .standard) throws(TemplateOverflow) -> [String] {
        // The usual template, `{{ jwt:sub }}`, needs no combining.
        if segments.count == 1, case .placeholder(let path, let functions) = segments[0] {
            let values = try Self.values(path, functions, claims, limits)
            guard values.count <= limits.maximumValues else { throw TemplateOverflow() }
            return values
        }
        var results = [""]
        for segment in segments {
            switch segment {
            case .literal(let text):
                for index in results.indices { results[index] += text }
                try limits.check(results, maximumCount: limits.maximumValues)
            case .placeholder(let path, let functions):
                let values = try Self.values(path, functions, claims, limits)
                if values.isEmpty { return [] }
                results = try Self.combine(results, values, limits)
            }
        }
        return results
    }

    private static func combine(
        _ heads: [String], _ tails: [String], _ limits: Limits
    ) throws(TemplateOverflow) -> [String] {
        let (count, overflow) = heads.count.multipliedReportingOverflow(by: tails.count)
        guard !overflow, count <= limits.maximumValues else { throw TemplateOverflow() }
        var combined: [String] = []
        combined.reserveCapacity(count)
        var bytes = 0
        for head in heads {
            for tail in tails {
                bytes += head.utf8.count + tail.utf8.count
                guard bytes <= limits.maximumBytes else { throw TemplateOverflow() }
                combined.append(head + tail)
            }
        }
        return combined
    }

    private static func values(
        _ path: ClaimPath, _ functions: [ClaimFunction], _ claims: JSON, _ limits: Limits
    ) throws(TemplateOverflow) -> [String] {
        var values = path.texts(in: claims)
        try limits.check(values, maximumCount: limits.maximumIntermediateValues)
        for function in functions {
            values = try function.apply(to: values, claims: claims, limits: limits)
            try limits.check(values, maximumCount: limits.maximumIntermediateValues)
        }
        return values
    }
}

/// A token's claims make more values, or longer ones, than a template may resolve to.
package struct TemplateOverflow: Error, Sendable {}

extension ClaimTemplate.Limits {
    func check(_ values: [String], maximumCount: Int) throws(TemplateOverflow) {
        guard values.count <= maximumCount else { throw TemplateOverflow() }
        var bytes = 0
        for value in values { bytes += value.utf8.count }
        guard bytes <= maximumBytes else { throw TemplateOverflow() }
    }
}
