package import NIOCore

extension RequestHead {
    /// Appends the field lines that travel on, verbatim and in order, without an empty line after them.
    ///
    /// Left out are the kinds in `dropped`, fields that `Connection` names, and look-alikes (`.alias`). Neighbouring
    /// lines that stay are copied as one run, so that a typical head costs a handful of copies. White space around a
    /// value stays as sent.
    ///
    /// - Parameters:
    ///   - source: the buffer the head was parsed from, its reader index still on the head's first byte.
    ///   - dropped: usually `.inboundStripped` and what the route adds to it.
    ///   - out: receives the lines. O(bytes kept + fields).
    package func appendFields(of source: borrowing ByteBuffer, dropping dropped: FieldSet, to out: inout ByteBuffer) {
        let bytes = source.readableBytesSpan
        out.append(reserving: length) { appendFields(of: bytes, dropping: dropped, to: &$0) }
    }

    /// The same, into room reserved for a whole head.
    package func appendFields(of source: RawSpan, dropping dropped: FieldSet, to out: inout ByteWriter) {
        fields.appendRuns(of: source, dropping: FieldSet(rawValue: dropped.rawValue | FieldSet.aliases), to: &out)
    }
}

extension ResponseHead {
    /// Appends the field lines that travel on; see `RequestHead.appendFields(of:dropping:to:)`. Look-alikes stay: no
    /// client reads `_` as `-`.
    package func appendFields(of source: borrowing ByteBuffer, dropping dropped: FieldSet, to out: inout ByteBuffer) {
        let bytes = source.readableBytesSpan
        out.append(reserving: length) { appendFields(of: bytes, dropping: dropped, to: &$0) }
    }

    /// The same, into room reserved for a whole head.
    package func appendFields(of source: RawSpan, dropping dropped: FieldSet, to out: inout ByteWriter) {
        fields.appendRuns(of: source, dropping: dropped, to: &out)
    }

    /// The same as below, into room reserved for a whole head.
    package func appendStatusLine(of source: RawSpan, to out: inout ByteWriter) {
        out.append("HTTP/1.1 ")
        out.append(decimal: status)
        out.append(ASCII.space)
        if reason.range.upperBound <= source.byteCount { out.append(source.extracting(reason.range)) }
        out.append("\r\n")
    }

    /// Appends `HTTP/1.1 <status> <reason>` and CRLF. The version is the gateway's own, whatever the upstream speaks
    /// (RFC 9110 §2.5).
    ///
    /// - Parameter source: the buffer the head was parsed from, its reader index still on the head's first byte.
    package func appendStatusLine(of source: borrowing ByteBuffer, to out: inout ByteBuffer) {
        let bytes = source.readableBytesSpan
        out.append(reserving: reason.count + 16) { appendStatusLine(of: bytes, to: &$0) }
    }
}

extension FieldSet {
    fileprivate static let aliases: UInt64 = 1 &<< UInt64(FieldKind.alias.rawValue)
}

extension [Field] {
    fileprivate func appendRuns(of bytes: RawSpan, dropping dropped: FieldSet, to out: inout ByteWriter) {
        var run = ByteRange.empty
        for index in indices {
            let field = self[index]
            if field.isNominated || dropped.contains(field.kind) { continue }
            if field.name.lower == run.upper {
                run.upper = field.end
                continue
            }
            append(run, of: bytes, to: &out)
            run = ByteRange(lower: field.name.lower, upper: field.end)
        }
        append(run, of: bytes, to: &out)
    }

    private func append(_ run: ByteRange, of bytes: RawSpan, to out: inout ByteWriter) {
        if run.isEmpty || run.range.upperBound > bytes.byteCount { return }
        out.append(bytes.extracting(run.range))
    }
}
