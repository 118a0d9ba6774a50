package import NIOCore

/// The chunked transfer coding, written (RFC 9112 §7.1).
extension ByteBuffer {
    /// Appends one chunk; `content` is not empty, because an empty one would be the last.
    package mutating func writeChunk(_ content: ByteBuffer) {
        writeHexadecimal(Int64(content.readableBytes))
        writeStaticString("\r\n")
        writeBytes(content.readableBytesSpan)
        writeStaticString("\r\n")
    }

    /// Appends the last chunk and the trailer section, of whose lines each has its end.
    package mutating func writeLastChunk(trailers: ByteBuffer) {
        writeStaticString("0\r\n")
        writeBytes(trailers.readableBytesSpan)
        writeStaticString("\r\n")
    }
}
