import Gate
import StrictJSON

extension RouteTimeouts {
    private static let range = Duration.milliseconds(10)...(.seconds(86_400))

    static let shape = Shape<RouteTimeouts>(
        "RouteTimeouts",
        "How long an upstream may take: 504 while its answer has not begun, and a cut connection when it has.",
        prototype: RouteTimeouts(),
        [
            Field(
                "connect", \.connect, .optional(.nanoseconds(range)),
                "How long a request may wait for a connection; null for the upstream's connectTimeout."),
            Field(
                "firstByte", \.firstByte, .optional(.nanoseconds(range)),
                "How long an answer's head may take, all of it; null for the upstream's responseTimeout."),
            Field(
                "idle", \.idle, .optional(.nanoseconds(range)),
                "How long an answer's body may pause; null for the upstream's responseTimeout."),
            Field(
                "total", \.total, .optional(.nanoseconds(range)),
                "How long the whole may take, but for tunnels, from the request's head to the end of the answer; null for ever."
            ),
        ])
}

extension RouteShare {
    static func shape(_ title: String, _ documentation: String, share: String, standard: Int) -> Shape<RouteShare> {
        Shape<RouteShare>(
            title, documentation, prototype: RouteShare(upstream: "", percent: standard),
            [
                Field("upstream", \.upstream, .text, required: true, "The name of the upstream."),
                Field("percent", \.percent, .integer(0...100), share),
            ])
    }
}
