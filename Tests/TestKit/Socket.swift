import Glibc
import NIOConcurrencyHelpers

/// A TCP socket on the loopback interface with blocking calls that all end by a deadline.
///
/// Scripted peers read best from top to bottom, so the tests' two ends block a thread each and leave event loops to the
/// gateway they test.
package final class Socket: Sendable {
    /// What a read brought.
    package enum Received: Sendable, Equatable {
        case bytes([UInt8])
        /// The peer closed its side in order.
        case end
        /// The peer reset the connection.
        case reset
        case timeout
    }

    /// A system call that failed, with the name of the call and the error number.
    package struct Failure: Error, CustomStringConvertible {
        package let call: String
        package let code: Int32
        package var description: String { "\(call): error \(code)" }
    }

    let descriptor: Int32
    private let isOpen = NIOLockedValueBox(true)
    /// The TLS on top of it, once there is one.
    let secure = NIOLockedValueBox<SecureLayer?>(nil)

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit { close() }

    // MARK: Opening

    /// Connects to a port of 127.0.0.1. A small receive buffer makes back-pressure show early.
    package static func connect(port: Int, receiveBuffer: Int32? = nil) throws -> Socket {
        let connection = Socket(descriptor: socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0))
        guard connection.descriptor >= 0 else { throw Failure(call: "socket", code: errno) }
        if let receiveBuffer { connection.setOption(SOL_SOCKET, SO_RCVBUF, receiveBuffer) }
        connection.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        var address = Self.loopback(port: port)
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(connection.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(call: "connect to port \(port)", code: errno) }
        return connection
    }

    /// Listens on a port of 127.0.0.1; 0 lets the system choose. Returns the socket and the port. Beyond `backlog` and
    /// one, connections are not answered.
    package static func listen(port: Int = 0, backlog: Int32 = 1024) throws -> (Socket, port: Int) {
        let (listener, port) = try bind(port: port, sharesAddress: true)
        guard Glibc.listen(listener.descriptor, backlog) == 0 else {
            throw Failure(call: "listen on port \(port)", code: errno)
        }
        return (listener, port)
    }

    /// A port of 127.0.0.1 on which connections are refused, and that nobody else gets while the socket is kept.
    package static func reserve() throws -> (Socket, port: Int) {
        try bind(port: 0, sharesAddress: false)
    }

    private static func bind(port: Int, sharesAddress: Bool) throws -> (Socket, port: Int) {
        let bound = Socket(descriptor: socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0))
        guard bound.descriptor >= 0 else { throw Failure(call: "socket", code: errno) }
        if sharesAddress { bound.setOption(SOL_SOCKET, SO_REUSEADDR, 1) }
        var address = Self.loopback(port: port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                guard unsafe Glibc.bind(bound.descriptor, raw, length) == 0 else { return false }
                return unsafe getsockname(bound.descriptor, raw, &length) == 0
            }
        }
        guard isBound else { throw Failure(call: "bind to port \(port)", code: errno) }
        return (bound, Int(UInt16(bigEndian: address.sin_port)))
    }

    /// Below those that the system gives to connections, and to listeners that name none (`ip_local_port_range`): only who
    /// asks for one here gets it. Each process begins somewhere else, so that two hardly ever give the same one.
    private static let portsToGive = 10_000..<32_000
    private static let nextPort = NIOLockedValueBox(Int.random(in: portsToGive))

    /// A port nobody listens on at this moment, and that nobody else in this process is given for a while.
    package static func freePort() throws -> Int {
        for _ in portsToGive {
            let port = nextPort.withLockedValue { next in
                next = portsToGive.contains(next + 1) ? next + 1 : portsToGive.lowerBound
                return next
            }
            guard let (listener, _) = try? listen(port: port) else { continue }
            listener.close()
            return port
        }
        throw Failure(call: "bind to any port of \(portsToGive)", code: EADDRINUSE)
    }

    /// The next connection, or nil once the listener is shut down.
    package func accept() -> Socket? {
        while true {
            let accepted = Glibc.accept(descriptor, nil, nil)
            if accepted >= 0 {
                // A gateway started meanwhile must not inherit the connection and keep it open.
                _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
                let connection = Socket(descriptor: accepted)
                connection.setOption(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
                return connection
            }
            guard errno == EINTR || errno == ECONNABORTED else { return nil }
        }
    }

    // MARK: Moving bytes

    /// Sends all bytes; false when the peer is gone or the deadline passed before the last one was taken.
    @discardableResult
    package func send(_ bytes: [UInt8], by deadline: ContinuousClock.Instant = .now + .seconds(30)) -> Bool {
        if let sealed = sealed(bytes) { return sealed.isEmpty ? bytes.isEmpty : sendRaw(sealed, by: deadline) }
        return sendRaw(bytes, by: deadline)
    }

    func sendRaw(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) -> Bool {
        var start = 0
        while start < bytes.count {
            let (sent, code) = whileOpen {
                unsafe bytes.withUnsafeBytes { raw in
                    unsafe Glibc.send(
                        descriptor, unsafe raw.baseAddress?.advanced(by: start), bytes.count - start,
                        Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                }
            }
            if sent > 0 {
                start += sent
            } else if code == EAGAIN || code == EWOULDBLOCK {
                guard wait(for: Int16(POLLOUT), by: deadline) else { return false }
            } else if code != EINTR {
                return false
            }
        }
        return true
    }

    /// Reads what is there, waiting until the deadline for the first byte.
    package func receive(atMost limit: Int = 262_144, by deadline: ContinuousClock.Instant) -> Received {
        isSecure ? receiveSealed(by: deadline) : receiveRaw(atMost: limit, by: deadline)
    }

    func receiveRaw(atMost limit: Int, by deadline: ContinuousClock.Instant) -> Received {
        while true {
            guard wait(for: Int16(POLLIN), by: deadline) else { return .timeout }
            var (count, code) = (0, Int32(0))
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
                (count, code) = whileOpen {
                    unsafe recv(descriptor, buffer.baseAddress, limit, Int32(MSG_DONTWAIT))
                }
                initialized = max(0, count)
            }
            if count > 0 { return .bytes(bytes) }
            if count == 0 { return .end }
            if code == EAGAIN || code == EINTR { continue }
            return .reset
        }
    }

    /// Makes one call that does not block, unless the descriptor was given back and may belong to another socket by now.
    private func whileOpen(_ call: () -> Int) -> (result: Int, code: Int32) {
        isOpen.withLockedValue { open in
            guard open else { return (-1, EBADF) }
            let result = call()
            return (result, errno)
        }
    }

    private func wait(for events: Int16, by deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000
            guard milliseconds > 0 else { return false }
            var entry = pollfd(fd: descriptor, events: events, revents: 0)
            let ready = unsafe poll(&entry, 1, Int32(min(milliseconds, 60_000)))
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { return true }
        }
    }

    // MARK: Closing

    /// Ends the sending side; the peer reads the end of the stream and can still answer.
    package func finishSending() {
        sayGoodbye()
        _ = whileOpen { Int(shutdown(descriptor, Int32(SHUT_WR))) }
    }

    /// Ends both sides and wakes whoever waits on the socket, without giving the descriptor back yet.
    package func interrupt() {
        _ = whileOpen { Int(shutdown(descriptor, Int32(SHUT_RDWR))) }
    }

    /// Closes with a reset instead of an orderly end.
    package func reset() {
        _ = whileOpen {
            var setting = linger(l_onoff: 1, l_linger: 0)
            return Int(
                unsafe setsockopt(
                    descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size)))
        }
        closeRaw()
    }

    /// Closes the socket; calling it again does nothing. TLS says so to the peer.
    package func close() {
        sayGoodbye()
        closeRaw()
    }

    /// Closes the socket as a cut would: TLS does not say that all was sent.
    package func closeRaw() {
        isOpen.withLockedValue { open in
            if open, descriptor >= 0 { _ = Glibc.close(descriptor) }
            open = false
        }
    }

    /// Hands the descriptor over to the caller, who closes it.
    package func release() -> Int32 {
        isOpen.withLockedValue { open in
            open = false
            return descriptor
        }
    }

    private func setOption(_ level: Int32, _ name: Int32, _ value: Int32) {
        var setting = value
        _ = unsafe setsockopt(descriptor, level, name, &setting, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

/// Whether a condition comes true before the deadline. For what happens in another process or thread and gives no signal.
package func eventually(within limit: Duration = .seconds(20), _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try condition() { return true }
        _ = usleep(2000)
    }
    return try condition()
}
