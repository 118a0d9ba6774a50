/// A path made of literal segments and of what a pattern captured: `thing:/{rest}`, `/v2/things/{id}/**`.
///
/// A capture is always a whole segment, so that nothing captured can change the shape of the result.
package struct CaptureTemplate: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        /// This part of ``CaptureTemplate/text``.
        case literal(lower: Int32, upper: Int32)
        /// The segment of the path with this index.
        case capture(Int)
        /// Every segment from `restStart` on.
        case rest
    }

    /// What stands before the colon; empty for a template that is only a path.
    package let type: [UInt8]
    let steps: [Step]
    /// The literal segments, end to end.
    let text: [UInt8]

    /// Compiles `type:/path` for a policy resource of routes with `pattern`.
    package init(resource template: String, for pattern: RoutePattern) throws(RoutingError) {
        let bytes = template.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > bytes.startIndex,
            bytes[bytes.index(after: colon)...].first == UInt8(ascii: "/"),
            !bytes[..<colon].contains(UInt8(ascii: "/"))
        else { throw .noResourceType(template: template) }
        type = Array(bytes[..<colon])
        let path = String(template[template.index(after: colon)...])
        (steps, text) = try CaptureTemplate.steps(path, of: template, for: pattern)
    }

    /// Compiles a path for the upstream of routes with `pattern`.
    package init(path template: String, for pattern: RoutePattern) throws(RoutingError) {
        type = []
        (steps, text) = try CaptureTemplate.steps(template, of: template, for: pattern)
    }

    /// Gives `body` the decoded segments of the result in order. No allocation.
    ///
    /// `path` and `restStart` are of a request that matched a route with the template's pattern.
    package func walk(_ path: borrowing NormalPath, restStart: Int, _ body: (Span<UInt8>) -> Void) {
        for step in steps {
            switch step {
            case .literal(let lower, let upper):
                body(text.span.extracting(Int(lower)..<Int(upper)))
            case .capture(let index):
                guard index < path.segments.count else { continue }
                body(path.bytes.span.extracting(path.segments[index].range))
            case .rest:
                var index = max(restStart, 0)
                while index < path.segments.count {
                    body(path.bytes.span.extracting(path.segments[index].range))
                    index += 1
                }
            }
        }
    }

    /// A template is written like a pattern, so a pattern's own rules take it apart.
    private static func steps(
        _ path: String, of whole: String, for pattern: RoutePattern
    ) throws(RoutingError) -> ([Step], [UInt8]) {
        let parsed = try RoutePattern(path)
        var steps: [Step] = []
        var text: [UInt8] = []
        for segment in parsed.segments {
            switch segment {
            case .literal(let bytes):
                let lower = Int32(text.count)
                text += bytes
                steps.append(.literal(lower: lower, upper: Int32(text.count)))
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
        return (steps, text)
    }
}
