package import NIOCore

/// The path an upstream is sent, made from the ``NormalPath`` on which routing and policy decided.
package struct Rewrite: Sendable, Equatable {
    private enum Plan: Sendable, Equatable {
        case none
        /// Drop this many leading segments and put these (encoded, without trailing slash) in their place.
        case prefix(dropping: Int, putting: [UInt8])
        case template(CaptureTemplate)
    }

    private let plan: Plan

    /// The path as it came, in canonical form.
    package static let none = Rewrite(plan: .none)

    /// The path without the segments of `prefix`, which must be how `pattern` begins.
    package static func stripPrefix(_ prefix: String, of pattern: RoutePattern) throws(RoutingError) -> Rewrite {
        try replacePrefix(prefix, with: "/", of: pattern)
    }

    /// The path with the segments of `replacement` in place of those of `prefix`, which must be how `pattern` begins.
    package static func replacePrefix(
        _ prefix: String, with replacement: String, of pattern: RoutePattern
    ) throws(RoutingError) -> Rewrite {
        let dropped = try RoutePattern(prefix)
        guard !dropped.hasRest, pattern.segments.starts(with: dropped.segments) else {
            throw .prefixNotOfPattern(prefix: prefix, pattern: pattern.text)
        }
        let put = try RoutePattern(replacement)
        guard !put.hasRest else { throw .restNotLast(pattern: replacement) }
        var encoded = ByteBuffer()
        for segment in put.segments {
            switch segment {
            case .literal(let bytes):
                encoded.writeInteger(UInt8(ascii: "/"))
                PathEncoding.append(bytes.span, to: &encoded)
            case .capture(let name):
                throw .unknownCapture(template: replacement, name: name ?? "*", known: [])
            }
        }
        return Rewrite(
            plan: .prefix(dropping: dropped.segments.count, putting: Array(encoded.readableBytesView)))
    }

    /// A path of literal segments and captures, such as `/v2/things/{id}/{rest}`.
    package static func template(_ text: String, of pattern: RoutePattern) throws(RoutingError) -> Rewrite {
        Rewrite(plan: .template(try CaptureTemplate(path: text, for: pattern)))
    }

    /// Appends the path for the upstream in canonical percent-encoding; never empty. A trailing slash of the client's
    /// is kept.
    ///
    /// `restStart` is that of the match. No allocation beyond what `out` needs to grow.
    package func append(path: borrowing NormalPath, restStart: Int, to out: inout ByteBuffer) {
        switch plan {
        case .none:
            path.appendEncoded(to: &out)
        case .prefix(let count, let replacement):
            out.writeBytes(replacement)
            if count < path.segments.count {
                path.appendEncoded(Int(path.segments[count].lower) - 1..<path.bytes.count, to: &out)
            } else if replacement.isEmpty || path.hasTrailingSlash {
                out.writeInteger(UInt8(ascii: "/"))
            }
        case .template(let template):
            let start = out.writerIndex
            template.walk(path, restStart: restStart) { segment in
                out.writeInteger(UInt8(ascii: "/"))
                PathEncoding.append(segment, to: &out)
            }
            if out.writerIndex == start || path.hasTrailingSlash { out.writeInteger(UInt8(ascii: "/")) }
        }
    }
}
