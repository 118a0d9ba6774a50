import BasicContainers
import CLinux
import NIOCore

/// Short writes of one round, one behind the other, until they are sent.
///
/// Its bytes belong to nobody else and are lent where they stand: a `ByteBuffer` of the reactor's would be counted for each of
/// them, which costs as much as copying them.
struct GatherBuffer: ~Copyable {
    private var bytes = UniqueArray<UInt8>(minimumCapacity: 16384)

    var count: Int { bytes.count }

    /// Copies bytes behind what is there; amortised linear in their number.
    mutating func append(_ buffer: ByteBuffer) {
        bytes.append(copying: buffer.readableBytesUInt8Span)
    }

    /// Sends the bytes of a range: how many were taken, or a negative error number.
    func send(_ range: Range<Int>, on descriptor: Int32) -> Int {
        // Unsafe: the pointer is used during the call only.
        unsafe bytes.span.extracting(range).withUnsafeBytes { bytes in
            unsafe tollgate_send(descriptor, bytes.baseAddress, bytes.count, nil, 0)
        }
    }

    /// Lends the bytes of a range.
    func withBytes(_ range: Range<Int>, _ body: (RawSpan) -> Void) {
        // Marked unsafe for the sake of other types: bytes have no padding.
        unsafe body(bytes.span.extracting(range).bytes)
    }

    /// Keeps the memory.
    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
    }
}
