import NIOCore
import NIOHTTP1

/// Answers one request at a time (the pipeline before it queues what is pipelined).
final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let filler = ByteBuffer(repeating: UInt8(ascii: "."), count: 64 << 10)

    private var received: Received?
    private var fillerLeft: Int64 = 0
    private var isFilling = false
    private var closesAfterAnswer = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            received = Received(head: head)
            if head.headers.contains(name: "expect"), head.version.minor >= 1 {
                let interim = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
            }
        case .body(let bytes):
            received?.body.append(bytes)
        case .end:
            guard let request = received else { return }
            received = nil
            answer(request, context: context)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        fill(context: context)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ request: Received, context: ChannelHandlerContext) {
        switch Command(target: request.head.uri) {
        case .echo: echo(request, status: .ok, context: context)
        case .status(let code): echo(request, status: HTTPResponseStatus(statusCode: code), context: context)
        case .delay(let milliseconds):
            // A pause may outlive the connection; the write then fails and is dropped by the channel.
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) {
                self.echo(request, status: .ok, context: context)
            }
        case .bytes(let count): start(filling: count, for: request, context: context)
        }
    }

    private func echo(_ request: Received, status: HTTPResponseStatus, context: ChannelHandlerContext) {
        let body = request.json()
        let hasBody = status.mayHaveResponseBody
        writeHead(
            for: request, status: status, contentType: "application/json",
            contentLength: hasBody ? Int64(body.count) : nil, context: context)
        if hasBody, request.head.method != .HEAD {
            let buffer = context.channel.allocator.buffer(bytes: body)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        }
        finish(context: context)
    }

    private func start(filling count: Int64, for request: Received, context: ChannelHandlerContext) {
        writeHead(
            for: request, status: .ok, contentType: "application/octet-stream", contentLength: count, context: context)
        fillerLeft = request.head.method == .HEAD ? 0 : count
        isFilling = true
        fill(context: context)
    }

    private func fill(context: ChannelHandlerContext) {
        guard isFilling else { return }
        while fillerLeft > 0, context.channel.isWritable {
            let count = Int(min(fillerLeft, Int64(Self.filler.readableBytes)))
            guard let part = Self.filler.getSlice(at: 0, length: count) else { return }
            fillerLeft -= Int64(count)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil)
        }
        // A flush above may have made the channel writable and run this method to its end already.
        guard fillerLeft == 0, isFilling else { return }
        isFilling = false
        finish(context: context)
    }

    private func writeHead(
        for request: Received, status: HTTPResponseStatus, contentType: String, contentLength: Int64?,
        context: ChannelHandlerContext
    ) {
        var headers = HTTPHeaders()
        headers.add(name: "server", value: "tollgate-demo-upstream")
        if let contentLength {
            headers.add(name: "content-type", value: contentType)
            headers.add(name: "content-length", value: String(contentLength))
        }
        closesAfterAnswer = !request.head.isKeepAlive
        if closesAfterAnswer {
            headers.add(name: "connection", value: "close")
        } else if request.head.version.minor == 0 {
            headers.add(name: "connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
    }

    private func finish(context: ChannelHandlerContext) {
        let closes = closesAfterAnswer
        let done = context.eventLoop.makePromise(of: Void.self)
        if closes {
            done.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: done)
    }
}
