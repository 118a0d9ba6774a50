import Foundation
import TestKit

/// The peer has not closed in time.
struct NeverClosed: Error {}

/// Sends bytes to a local port and returns all that comes back until the peer closes.
///
/// On a thread of its own: what is tested may need those that tests run on.
func exchange(port: Int, sending bytes: [UInt8]) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(
                with: Result {
                    let client = try RawClient(port: port)
                    client.send(bytes)
                    // A peer that closes with unread bytes resets the connection: the end all the same.
                    guard client.peerCloses() else { throw NeverClosed() }
                    return String(decoding: client.rest, as: UTF8.self)
                })
        }
    }
}

func exchange(port: Int, _ text: String) async throws -> String {
    try await exchange(port: port, sending: Array(text.utf8))
}
