package import NIOCore

/// Moves one body from the framing it comes in to the framing it goes out in (RFC 9112 §§6-8).
///
/// Content is passed on as it comes: nothing is held back, and nothing beyond the end of the body is consumed. What
/// goes out is framed anew, so that no chunk extension or odd size of one side ever reaches the other, and trailers only
/// those of an answer to a client that wants them. A body that fails or ends early is never given an end on the other side.
package struct BodyRelay: Sendable {
    /// The framing on the way out.
    package enum Output: Sendable, Equatable {
        /// The content and nothing else: `Content-Length` was sent, or the end of the connection is the end.
        case raw
        /// The chunked transfer coding.
        case chunked
    }

    /// How far the body has come.
    package enum Progress: Sendable, Equatable {
        /// The body goes on.
        case more
        /// The body is complete, and so is what was written.
        case end
        /// The body is broken: cut the other side.
        case malformed(MalformedBody)
    }

    private enum Input: Sendable {
        case nothing
        case length(remaining: Int64)
        case chunked(ChunkDecoder)
        case untilClose
    }

    /// Bytes of content that have been passed on.
    package private(set) var received: Int64 = 0

    private var input: Input
    private let output: Output
    private let maximumBytes: Int64
    private var progress = Progress.more

    /// A relay for a request's body.
    ///
    /// - Parameters:
    ///   - framing: as the request head says. `.none` is finished from the start.
    ///   - output: how the body goes out. `.chunked` needs `relay` to be called once even for an empty body, to write
    ///     its end.
    ///   - maximumBytes: content beyond this fails with `.bodyTooLarge`, as soon as it is announced; nil for no bound.
    package init(_ framing: RequestFraming, output: Output, maximumBytes: Int64? = nil) {
        let input: Input =
            switch framing {
            case .none: .nothing
            case .length(let count): .length(remaining: count)
            case .chunked: .chunked(ChunkDecoder())
            }
        self.init(input, output: output, maximumBytes: maximumBytes)
    }

    /// A relay for a response's body; see the other initialiser.
    ///
    /// - Parameter passesTrailers: whether the trailer fields of a chunked body go out as well, but for those that would
    ///   say something about the message itself (RFC 9110 §6.5.1).
    package init(
        _ framing: ResponseFraming, output: Output, maximumBytes: Int64? = nil, passesTrailers: Bool = false
    ) {
        let input: Input =
            switch framing {
            case .none: .nothing
            case .length(let count): .length(remaining: count)
            case .chunked: .chunked(ChunkDecoder(keepsTrailers: passesTrailers))
            case .untilClose: .untilClose
            }
        self.init(input, output: output, maximumBytes: maximumBytes)
    }

    private init(_ input: Input, output: Output, maximumBytes: Int64?) {
        self.input = input
        self.output = output
        self.maximumBytes = maximumBytes ?? .max
        switch input {
        case .nothing:
            progress = .end
        case .length(let count):
            if count > self.maximumBytes {
                progress = .malformed(.bodyTooLarge)
            } else if count == 0 && output == .raw {
                progress = .end
            }
        case .chunked, .untilClose:
            break
        }
    }

    /// Whether the whole body has been passed on.
    package var isFinished: Bool { progress == .end }

    /// Passes on what `input` holds.
    ///
    /// - Parameters:
    ///   - input: consumed up to its end or the end of the body, whichever comes first.
    ///   - out: receives the content in the framing of the way out. All the content of one call goes into one chunk.
    ///     Nothing is appended when the body turns out malformed.
    /// - Returns: after the end or a failure, the same answer again, without touching either buffer. O(bytes).
    package mutating func relay(_ input: inout ByteBuffer, into out: inout ByteBuffer) -> Progress {
        guard progress == .more else { return progress }
        switch self.input {
        case .nothing:
            progress = .end
        case .length(let remaining):
            let count = Int(min(remaining, Int64(input.readableBytes)))
            append(&input, count: count, to: &out)
            self.input = .length(remaining: remaining - Int64(count))
            if remaining == Int64(count) { finish(&out) }
        case .chunked(let decoder):
            relayChunks(decoder, from: &input, to: &out)
        case .untilClose:
            let count = input.readableBytes
            if Int64(count) > maximumBytes - received { return fail(.bodyTooLarge) }
            append(&input, count: count, to: &out)
        }
        return progress
    }

    /// Passes content on without copying it, where no framing has to be touched: from `Content-Length` or until-close
    /// to raw.
    ///
    /// Call it first and write what it returns; on nil, `relay` does the work and has the verdict. After it, look at
    /// `isFinished`.
    ///
    /// - Returns: a slice that shares storage with `input`, from which it is consumed; nil when copying is needed, when
    ///   there is nothing to pass on, or when the content is beyond its bound.
    package mutating func slice(_ input: inout ByteBuffer) -> ByteBuffer? {
        guard output == .raw, progress == .more, input.readableBytes > 0 else { return nil }
        let limit: Int64
        switch self.input {
        case .length(let remaining): limit = remaining
        case .untilClose:
            if Int64(input.readableBytes) > maximumBytes - received { return nil }
            limit = .max
        case .nothing, .chunked: return nil
        }
        guard let slice = input.readSlice(length: Int(min(limit, Int64(input.readableBytes)))) else { return nil }
        received += Int64(slice.readableBytes)
        if case .length(let remaining) = self.input {
            let rest = remaining - Int64(slice.readableBytes)
            self.input = .length(remaining: rest)
            if rest == 0 { progress = .end }
        }
        return slice
    }

    /// Says that the sender has closed its side: the end of an until-close body, a truncation of any other.
    ///
    /// - Parameter out: receives the last chunk where the way out is chunked.
    package mutating func finishAtEOF(into out: inout ByteBuffer) -> Progress {
        guard progress == .more else { return progress }
        if case .untilClose = input {
            finish(&out)
            return progress
        }
        return fail(.truncated)
    }

    private mutating func fail(_ reason: MalformedBody) -> Progress {
        progress = .malformed(reason)
        return progress
    }

    private mutating func finish(_ out: inout ByteBuffer) {
        progress = .end
        guard output == .chunked else { return }
        out.writeStaticString("0\r\n")
        if case .chunked(let decoder) = input, let trailers = decoder.trailers {
            out.writeBytes(Trailers.passed(trailers))
        }
        out.writeStaticString("\r\n")
    }

    /// The trailer lines of a body that has ended, each with its end, when they are passed and there are any; what goes out
    /// raw has no other place for them.
    package var trailers: [UInt8]? {
        guard progress == .end, case .chunked(let decoder) = input, let lines = decoder.trailers else { return nil }
        let passed = Trailers.passed(lines)
        return passed.isEmpty ? nil : passed
    }

    /// Moves bytes that are all content, as one chunk where the way out is chunked.
    private mutating func append(_ input: inout ByteBuffer, count: Int, to out: inout ByteBuffer) {
        guard count > 0 else { return }
        beginChunk(count, &out)
        out.writeBytes(input.readableBytesSpan.extracting(first: count))
        endChunk(&out)
        input.moveReaderIndex(forwardBy: count)
        received += Int64(count)
    }

    private func beginChunk(_ count: Int, _ out: inout ByteBuffer) {
        guard output == .chunked else { return }
        out.writeHexadecimal(Int64(count))
        out.writeStaticString("\r\n")
    }

    private func endChunk(_ out: inout ByteBuffer) {
        if output == .chunked { out.writeStaticString("\r\n") }
    }

    /// The chunk written has its size in front, so the framing is walked twice: once to learn how much content the read
    /// holds, once to copy it. The content itself is touched once, and a malformed read leaves `out` as it was.
    private mutating func relayChunks(
        _ decoder: ChunkDecoder, from input: inout ByteBuffer, to out: inout ByteBuffer
    ) {
        var measuring = decoder
        var end = 0
        var total = 0
        walk: while true {
            let event = measuring.next(input.readableBytesSpan, at: &end)
            if measuring.announced > maximumBytes {
                progress = .malformed(.bodyTooLarge)
                return
            }
            switch event {
            case .data(let count): total += count
            case .incomplete: break walk
            case .end:
                progress = .end
                break walk
            case .malformed(let reason):
                progress = .malformed(reason)
                return
            }
        }
        if total > 0 {
            beginChunk(total, &out)
            copyContent(decoder, of: input.readableBytesSpan.extracting(first: end), to: &out)
            endChunk(&out)
        }
        received += Int64(total)
        input.moveReaderIndex(forwardBy: end)
        self.input = .chunked(measuring)
        if progress == .end { finish(&out) }
    }

    private func copyContent(_ decoder: ChunkDecoder, of bytes: RawSpan, to out: inout ByteBuffer) {
        var decoder = decoder
        var offset = 0
        while true {
            switch decoder.next(bytes, at: &offset) {
            case .data(let count): out.writeBytes(bytes.extracting(offset - count..<offset))
            case .incomplete, .end, .malformed: return
            }
        }
    }
}
