import CLinux
import NIOCore

/// Short writes of one round, one behind the other, until they are sent.
///
/// Not copyable, so that its bytes are lent where they stand: a buffer of the reactor's own would be counted for each of them,
/// which costs as much as copying them.
struct GatherBuffer: ~Copyable {
    private var bytes = ByteBufferAllocator().buffer(capacity: 16384)

    /// How many bytes there are.
    var count: Int { bytes.readableBytes }

    /// Copies bytes behind what is there; amortised linear in their number.
    mutating func append(_ buffer: ByteBuffer) {
        bytes.writeBytes(buffer.readableBytesSpan)
    }

    /// Sends the bytes of a range: how many were taken, or a negative error number.
    func send(_ range: Range<Int>, on descriptor: Int32) -> Int {
        // Unsafe: the pointer is used during the call only.
        unsafe bytes.readableBytesSpan.extracting(range).withUnsafeBytes { bytes in
            unsafe tollgate_send(descriptor, bytes.baseAddress, bytes.count, nil, 0)
        }
    }

    /// Lends the bytes of a range.
    func withBytes(_ range: Range<Int>, _ body: (RawSpan) -> Void) {
        body(bytes.readableBytesSpan.extracting(range))
    }

    /// Keeps the memory.
    mutating func removeAll() {
        bytes.clear()
    }
}
