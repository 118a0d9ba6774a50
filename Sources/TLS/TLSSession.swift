import CTLS
package import NIOCore

/// One end of a TLS connection without I/O: ciphertext goes in, plaintext and ciphertext come out (RFC 8446, RFC 5246).
///
/// Owned by one thread at a time.
@safe
package struct TLSSession: ~Copyable {
    /// What came of some input.
    package enum Event: Sendable {
        /// All of it is used up.
        case waiting
        /// The handshake is complete. To be called again with the rest of the input.
        case opened
        /// There is no room for more plaintext. To be called again with the rest of the input.
        case full
        /// The peer said that it will send nothing more (close_notify).
        case ended
        /// The session is broken and stays so; `failure` says why. An alert may wait to be sent.
        case failed
    }

    // Unsafe to use after `deinit` only, which cannot be seen from outside: the type is not copyable.
    private let raw: OpaquePointer
    /// The context, which has to outlive the session.
    private let context: AnyObject

    /// The server's end. Nil without memory.
    package init?(server context: TLSServerContext) {
        guard let raw = unsafe tollgate_tls_server_session(context.raw) else { return nil }
        unsafe self.raw = raw
        self.context = context
    }

    /// The client's end; `host` is asked for, unless it is an IP address, and is what the certificate must be good for.
    /// Nil for a host that is none. The first `receive`, with no input, begins the handshake.
    package init?(client context: TLSClientContext, host: String) {
        // Unsafe: C reads the string during the call.
        guard let raw = unsafe tollgate_tls_client_session(context.raw, host) else { return nil }
        unsafe self.raw = raw
        self.context = context
    }

    deinit {
        unsafe tollgate_tls_session_free(raw)
    }

    // MARK: Bytes

    /// Takes ciphertext from `input` and appends plaintext to `room`, as much as it has capacity for.
    ///
    /// What is to be sent in answer has to be fetched with `takeOutput` after every call.
    package mutating func receive(_ input: inout ByteBuffer, into room: inout ByteBuffer) -> Event {
        // Unsafe: both buffers stand still during the call, and C writes at most what the second has room for.
        let progress = unsafe input.withUnsafeReadableBytes { input in
            unsafe room.withUnsafeMutableWritableBytes { room in
                guard let base = room.baseAddress else { return tollgate_tls_progress() }
                return unsafe tollgate_tls_receive(raw, input.baseAddress, input.count, base, room.count)
            }
        }
        input.moveReaderIndex(forwardBy: min(progress.consumed, input.readableBytes))
        room.moveWriterIndex(forwardBy: min(progress.produced, room.writableBytes))
        switch progress.status {
        case Int32(TOLLGATE_TLS_WAITING.rawValue): return .waiting
        case Int32(TOLLGATE_TLS_OPENED.rawValue): return .opened
        case Int32(TOLLGATE_TLS_FULL.rawValue): return .full
        case Int32(TOLLGATE_TLS_ENDED.rawValue): return .ended
        case _: return .failed
        }
    }

    /// Appends the ciphertext of one or two runs of bytes to `room`, which grows as needed. False when the session is
    /// broken, or not open.
    package mutating func send(_ first: ByteBuffer, _ second: ByteBuffer?, into room: inout ByteBuffer) -> Bool {
        let second = second ?? ByteBuffer()
        let total = first.readableBytes + second.readableBytes
        // Head, tag and type of a record are less than 64 bytes (RFC 8446 §5.2); two runs may end in two short records.
        room.reserveCapacity(minimumWritableBytes: total + (total / 16_384 + 3) * 64)
        // Unsafe: the buffers stand still during the call, and C writes at most what the third has room for.
        let progress = unsafe first.withUnsafeReadableBytes { first in
            unsafe second.withUnsafeReadableBytes { second in
                unsafe room.withUnsafeMutableWritableBytes { room in
                    guard let base = room.baseAddress else { return tollgate_tls_progress() }
                    return unsafe tollgate_tls_send(
                        raw, first.baseAddress, first.count, second.baseAddress, second.count, base, room.count)
                }
            }
        }
        room.moveWriterIndex(forwardBy: min(progress.produced, room.writableBytes))
        takeOutput(into: &room)
        return progress.status == Int32(TOLLGATE_TLS_OPENED.rawValue)
    }

    /// Says that nothing more will be sent (close_notify); the peer may go on.
    package mutating func finish() {
        unsafe tollgate_tls_finish(raw)
    }

    /// Appends what is to be sent; nothing most of the time.
    package mutating func takeOutput(into room: inout ByteBuffer) {
        var count = 0
        // Unsafe: the pointer is good until the next call with this session, which is the one that clears it.
        guard let bytes = unsafe tollgate_tls_output(raw, &count), count > 0 else { return }
        unsafe room.writeBytes(UnsafeRawBufferPointer(start: bytes, count: count))
        unsafe tollgate_tls_output_clear(raw)
    }

    // MARK: What came of the handshake

    /// Why the session is broken; empty while it is not.
    package var failure: String { unsafe String(cString: tollgate_tls_failure(raw)) }

    /// The protocol that ALPN has chosen; nil without.
    package var applicationProtocol: String? {
        var count = 0
        // Unsafe: the name is the session's and is copied at once.
        guard let name = unsafe tollgate_tls_protocol(raw, &count), count > 0 else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: name, count: count), as: UTF8.self)
    }

    /// Whether the handshake went on with an earlier session.
    package var wasResumed: Bool { unsafe tollgate_tls_was_resumed(raw) == 1 }

    /// The version in use, once the handshake is complete.
    package var version: TLSVersion { unsafe tollgate_tls_version(raw) == TLSVersion.v13.code ? .v13 : .v12 }

    /// Whether the authorities of a server's context vouch for the certificate that the client has shown, as things are now.
    package func isVouched(by context: TLSServerContext) -> Bool {
        unsafe tollgate_tls_vouches(context.raw, raw) == 1
    }

    /// The certificate that the peer has proven to hold; nil when it showed none.
    package var peerCertificate: TLSCertificate? {
        guard let raw = unsafe tollgate_tls_peer_certificate(raw) else { return nil }
        return unsafe TLSCertificate(consuming: raw)
    }
}
