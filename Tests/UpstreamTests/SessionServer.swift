import NIOCore
import Reactor

/// The transport of a session, and the server at its other end, which takes something or not and opens windows as a test
/// says.
final class SessionServer: ByteStream {
    private(set) var isOpen = true
    var isWritable = true
    let isDrained = true
    /// Bytes of content that have come, and streams that have ended.
    private(set) var content: [UInt32: Int] = [:]
    private(set) var ended: Set<UInt32> = []
    private var hasPreface = false

    func setReading(_ reads: Bool) {}

    /// The session hands over whole frames, at first behind the preface.
    func write(_ first: ByteBuffer, _ second: ByteBuffer?) {
        var bytes = first
        if let second { bytes.writeImmutableBuffer(second) }
        if !hasPreface { bytes.moveReaderIndex(forwardBy: 24) }
        hasPreface = true
        while let word = bytes.readInteger(as: UInt32.self), let flags = bytes.readInteger(as: UInt8.self),
            let stream = bytes.readInteger(as: UInt32.self)
        {
            bytes.moveReaderIndex(forwardBy: Int(word >> 8))
            // DATA, or HEADERS, which may end a stream as well.
            guard word & 255 < 2 else { continue }
            if word & 255 == 0 { content[stream, default: 0] += Int(word >> 8) }
            if flags & 1 != 0 { ended.insert(stream) }
        }
    }

    func finishOutput() {}

    func reset() {
        close()
    }

    func close() {
        isOpen = false
    }

    /// SETTINGS that leave streams all the room they want: what they share is the connection's window.
    static let settings = ByteBuffer(bytes: [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x40, 0, 0, 0])

    static func windowUpdate(_ count: UInt32) -> ByteBuffer {
        var bytes = ByteBuffer(bytes: [0, 0, 4, 8, 0, 0, 0, 0, 0])
        bytes.writeInteger(count)
        return bytes
    }
}
