import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// Why somebody who was to be asked gave no answer, in the system's words: an operator knows "Connection refused", and nothing
/// of the types of a library.
package struct ConnectionFailure: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ error: any Error) {
        description = Self.reason(error)
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            // Of several addresses the first failure: all of them are of one host.
            let cause = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
            return cause.map(reason) ?? "it has no address"
        case let error as IOError:
            return systemReason(error.errnoCode)
        case let error as SocketAddressError.UnknownHost:
            return error.errorDescription
        case ChannelError.connectTimeout:
            return "it took too long"
        case let error as HTTPClientError where error == .connectTimeout || error == .deadlineExceeded:
            return "no connection came about in time"
        case ChannelError.eof:
            return "the connection was closed"
        case is HTTPParserError:
            return "it does not speak HTTP"
        default:
            return String(describing: error)
        }
    }
}
