import NIOCore
import Reactor

/// What goes to the client ahead of bytes that are passed on as they came: heads, and short bodies behind them.
///
/// Not copyable: what is written is lent as it stands here, where a buffer of a class's would be counted for the call.
struct RenderedAnswer: ~Copyable {
    var bytes = ByteBuffer()

    /// Sends it, and the tail behind it, in as few system calls as the transport can.
    func write(to stream: any MeasuredStream, _ tail: ByteBuffer?) {
        if bytes.readableBytes > 0 {
            stream.write(bytes, tail)
        } else if let tail {
            stream.write(tail, nil)
        }
    }
}
