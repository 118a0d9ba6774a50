import StrictJSON

/// Bounds that protect the gateway from its clients.
package struct LimitSettings: Sendable {
    /// Bytes of a request head, request line and final line break included.
    package var maximumHeadBytes = 32 << 10
    package var maximumTargetBytes = 8 << 10
    package var maximumFields = 100
    /// Bytes of one field line.
    package var maximumFieldBytes = 16 << 10
    /// Bytes of a request body; nil for any number.
    package var maximumBodyBytes: Int?
    /// From the first byte of a head to its last.
    package var headerTimeout = Duration.seconds(10)
    /// Between two reads of a body.
    package var bodyTimeout = Duration.seconds(30)
    /// Bytes a second; 0 for none.
    package var minimumBodyRate = 240
    package var minimumAnswerRate = 240
    /// Between two requests of a connection.
    package var idleTimeout = Duration.seconds(75)
    /// Between two reads, in either direction, of a tunnel or an event stream.
    package var streamIdleTimeout = Duration.seconds(3_600)
    package var maximumConnections = 20_000
    package var maximumConnectionsPerAddress = 0
    /// Under way on each event loop.
    package var maximumRequests = 10_000
    /// Of one HTTP/2 connection.
    package var maximumStreams = 100
    /// How long requests in flight may take to end after the signal to stop.
    package var drainTimeout = Duration.seconds(30)

    static let shape = Shape<LimitSettings>(
        "Limits", "Bounds that protect the gateway from its clients.", prototype: LimitSettings(),
        [
            Field(
                "maximumHeadBytes", \.maximumHeadBytes, .size(1024...(1 << 20)),
                "The longest request head; longer ones are answered 431."),
            Field(
                "maximumTargetBytes", \.maximumTargetBytes, .size(64...(1 << 20)),
                "The longest request target; longer ones are answered 414."),
            Field("maximumFields", \.maximumFields, .integer(8...10_000), "The most header fields of a request."),
            Field(
                "maximumFieldBytes", \.maximumFieldBytes, .size(256...(1 << 20)),
                "The longest header field; longer ones are answered 431."),
            Field(
                "maximumBodyBytes", \.maximumBodyBytes, .optional(.size(0...(1 << 50))),
                "The longest request body, answered 413 beyond; null for any length. A route may say otherwise."),
            Field(
                "headerTimeout", \.headerTimeout, .duration(.milliseconds(100)...(.seconds(3_600))),
                "How long a request head may take from its first byte to its last; then 408."),
            Field(
                "bodyTimeout", \.bodyTimeout, .duration(.milliseconds(100)...(.seconds(3_600))),
                "How long a request body, or a client that reads its answer, may pause; then 408 or a reset."),
            Field(
                "minimumBodyRate", \.minimumBodyRate, .size(0...(1 << 20)),
                "Bytes a second that a request body has to bring. A client below it uses bodyTimeout up, the sooner"
                    + " the slower it is; then 408, or a reset if the answer has begun. Time in which the upstream does not take the body"
                    + " does not count, nor do tunnels, event streams and gRPC. 0B for no minimum."),
            Field(
                "minimumAnswerRate", \.minimumAnswerRate, .size(0...(1 << 20)),
                "The same for a client that reads an answer: below it the connection is reset. Only time in which an answer"
                    + " waits for the client counts. 0B for no minimum."),
            Field(
                "idleTimeout", \.idleTimeout, .duration(.milliseconds(100)...(.seconds(86_400))),
                "How long a connection may wait for its next request."),
            Field(
                "streamIdleTimeout", \.streamIdleTimeout, .duration(.milliseconds(100)...(.seconds(604_800))),
                "How long a WebSocket, another tunnel or an event stream (text/event-stream) may be silent."),
            Field(
                "maximumConnections", \.maximumConnections, .integer(1...10_000_000),
                "Client connections that each event loop holds; beyond it new ones are closed at once."),
            Field(
                "maximumConnectionsPerAddress", \.maximumConnectionsPerAddress, .integer(0...10_000_000),
                "Connections that one client address, or one IPv6 /64, may have open on all loops together; beyond it new"
                    + " ones are closed at once. 0 for no bound, because a whole company may share an address."),
            Field(
                "maximumRequests", \.maximumRequests, .integer(1...10_000_000),
                "Requests that each event loop has under way, tunnels and event streams aside; beyond it new ones are answered"
                    + " 503 with Retry-After, before anything else is asked."),
            Field(
                "maximumStreams", \.maximumStreams, .integer(1...10_000),
                "Requests that a client may have under way on one HTTP/2 connection; beyond it they are refused."),
            Field(
                "drainTimeout", \.drainTimeout, .duration(.zero...(.seconds(86_400))),
                "How long requests in flight may take to end after SIGTERM."),
        ],
        check: { limits, json, reading in
            guard limits.maximumTargetBytes >= limits.maximumHeadBytes else { return }
            reading.error(
                "maximumTargetBytes (\(Size.text(limits.maximumTargetBytes))) has to be less than maximumHeadBytes"
                    + " (\(Size.text(limits.maximumHeadBytes))), which it is part of", at: json)
        })
}
