import CLinux
import Glibc

/// A listening TCP socket: opened here, or by the process before.
///
/// It stays open as long as somebody refers to it. Whoever has its descriptor, in whichever process, has the same queue of
/// connections: none of them is lost when one goes and another stays.
package final class ListeningSocket: Sendable {
    /// Connections that the kernel holds until somebody takes them.
    static let backlog = 1024

    /// Of this process; close-on-exec.
    package let descriptor: Int32
    /// Where it listens, with the port that the system chose if it was asked to.
    package let address: StreamAddress

    /// Listens. Where each one `shares` its address, there may be several, among which the kernel spreads connections
    /// (SO_REUSEPORT).
    package init(at address: StreamAddress, shares: Bool = true) throws(ReactorError) {
        var raw = address.raw
        // Unsafe: reads the structure during the call.
        let descriptor = unsafe tollgate_listen(&raw, Int32(Self.backlog), shares ? 1 : 0)
        guard descriptor >= 0 else { throw ReactorError(call: "listen", code: -descriptor) }
        var local = raw
        // Unsafe: fills the structure during the call.
        let result = unsafe tollgate_listening_address(descriptor, &local)
        guard result == 0 else {
            close(descriptor)
            throw ReactorError(call: "getsockname", code: -result)
        }
        self.descriptor = descriptor
        self.address = StreamAddress(local)
    }

    /// Throws where somebody listens at the address already, also where that one shares it: two gateways that know nothing of each
    /// other would each get a part of the connections.
    package static func checkFree(_ address: StreamAddress) throws(ReactorError) {
        var raw = address.raw
        // Unsafe: reads the structure during the call.
        let result = unsafe tollgate_check_free(&raw)
        guard result == 0 else { throw ReactorError(call: "bind", code: -result) }
    }

    /// Takes over a descriptor that this process was started with. `nil`, and the descriptor is left alone, where it is no
    /// listening TCP socket.
    package init?(inheriting descriptor: Int32) {
        var local = tollgate_address()
        // Unsafe: fills the structure during the call.
        guard unsafe tollgate_listening_address(descriptor, &local) == 0, tollgate_adopt(descriptor) == 0 else {
            return nil
        }
        self.descriptor = descriptor
        self.address = StreamAddress(local)
    }

    deinit { close(descriptor) }

    /// Whether it listens there.
    package func isAt(_ other: StreamAddress) -> Bool {
        address.port == other.port && address.host == other.host
    }
}
