import CLinux
import Glibc

/// An address to connect to or to listen on.
package struct StreamAddress: @unchecked Sendable {
    // `@unchecked` only because the imported C structure says nothing of Sendable: it is plain bytes.
    var raw: tollgate_address

    init(_ raw: tollgate_address) {
        self.raw = raw
    }

    /// Addresses of one host that are looked at.
    private static let maximumAddresses = 16

    /// An address literal. `nil` when the host is a name.
    package init?(literal host: String, port: Int) {
        guard let first = Self.addresses(host, port, resolves: false).first else { return nil }
        self = first
    }

    /// The first address of a host. Blocks for as long as the resolver takes: never on a reactor.
    package init?(resolving host: String, port: Int) {
        guard let first = Self.all(resolving: host, port: port).first else { return nil }
        self = first
    }

    /// The addresses of a host, at most 16, in the order of the resolver. Blocks as `init(resolving:port:)` does.
    package static func all(resolving host: String, port: Int) -> [StreamAddress] {
        addresses(host, port, resolves: true)
    }

    private static func addresses(_ host: String, _ port: Int, resolves: Bool) -> [StreamAddress] {
        guard let port = UInt16(exactly: port) else { return [] }
        var found = [tollgate_address](repeating: tollgate_address(), count: maximumAddresses)
        // Unsafe: reads the string and fills at most the elements of the array during the call.
        let count = unsafe found.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe tollgate_resolve(host, port, resolves ? 1 : 0, base, Int32(maximumAddresses))
        }
        return found.prefix(max(0, Int(count))).map { StreamAddress($0) }
    }

    /// The address without its port, as text.
    package var host: String { described.host }

    /// The port.
    package var port: Int { described.port }

    private var described: (host: String, port: Int) {
        var text = [CChar](repeating: 0, count: 46)
        var raw = raw
        var port: Int32 = 0
        // Unsafe: writes at most the 46 bytes of the array.
        unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            port = unsafe tollgate_describe(&raw, base)
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (host, Int(port))
    }
}
