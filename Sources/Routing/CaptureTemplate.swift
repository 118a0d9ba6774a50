/// A path made of literal segments and of what a pattern captured: `thing:/{rest}`, `/v2/things/{id}/**`.
///
/// A capture is always a whole segment, so that nothing captured can change the shape of the result.
package struct CaptureTemplate: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case literal([UInt8])
        /// The segment of the path with this index.
        case capture(Int)
        /// Every segment from `restStart` on.
        case rest
    }

    /// What stands before the colon; empty for a template that is only a path.
    package let type: [UInt8]
    let steps: [Step]

    /// Compiles `type:/path` for a policy resource of routes with `pattern`.
    package init(resource text: String, for pattern: RoutePattern) throws(RoutingError) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")), colon > text.utf8.startIndex,
            text.utf8[text.utf8.index(after: colon)...].first == UInt8(ascii: "/"),
            !text.utf8[..<colon].contains(UInt8(ascii: "/"))
        else { throw .noResourceType(template: text) }
        type = Array(text.utf8[..<colon])
        steps = try CaptureTemplate.steps(String(text[text.index(after: colon)...]), of: text, for: pattern)
    }

    /// Compiles a path for the upstream of routes with `pattern`.
    package init(path text: String, for pattern: RoutePattern) throws(RoutingError) {
        type = []
        steps = try CaptureTemplate.steps(text, of: text, for: pattern)
    }

    /// Gives `body` the decoded segments of the result in order. No allocation.
    ///
    /// `path` and `restStart` are of a request that matched a route with the template's pattern.
    package func walk(_ path: NormalPath, restStart: Int, _ body: (Span<UInt8>) -> Void) {
        for step in steps {
            switch step {
            case .literal(let bytes):
                body(bytes.span)
            case .capture(let index):
                guard index < path.segments.count else { continue }
                body(path.bytes.span.extracting(path.segments[index].range))
            case .rest:
                for segment in path.segments.dropFirst(restStart) {
                    body(path.bytes.span.extracting(segment.range))
                }
            }
        }
    }

    /// A template is written like a pattern, so a pattern's own rules take it apart.
    private static func steps(
        _ text: String, of whole: String, for pattern: RoutePattern
    ) throws(RoutingError) -> [Step] {
        let parsed = try RoutePattern(text)
        var steps: [Step] = []
        for segment in parsed.segments {
            switch segment {
            case .literal(let bytes):
                steps.append(.literal(bytes))
            case .capture(let name):
                let index = pattern.segments.firstIndex { $0 == .capture(name) && name != nil }
                guard let index else {
                    throw .unknownCapture(template: whole, name: name ?? "*", known: pattern.captureNames)
                }
                steps.append(.capture(index))
            }
        }
        if parsed.hasRest {
            guard pattern.hasRest else {
                throw .unknownCapture(template: whole, name: "rest", known: pattern.captureNames)
            }
            steps.append(.rest)
        }
        return steps
    }
}
