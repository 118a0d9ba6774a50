import NIOCore
import NIOPosix

/// Sends bytes to a local port and returns all that comes back until the peer closes.
func exchange(port: Int, sending bytes: [UInt8]) async throws -> String {
    let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
    return try await client.executeThenClose { inbound, outbound in
        try await outbound.write(ByteBuffer(bytes: bytes))
        var answer = ByteBuffer()
        do {
            for try await part in inbound { answer.writeImmutableBuffer(part) }
        } catch is IOError {
            // A peer that closes with unread bytes resets the connection: the end all the same.
        }
        return String(buffer: answer)
    }
}

func exchange(port: Int, _ text: String) async throws -> String {
    try await exchange(port: port, sending: Array(text.utf8))
}
