import Gate
import HTTP2
import Reactor

/// How a connection of HTTP/2 ends when the gateway does.
extension HTTP2ServerConnection {
    /// Serves what is under way, and says so to the client.
    func drain() {
        machine.drain()
        drainBegan = min(drainBegan, worker.now().monotonic)
        noteRound()
    }

    func abandon() {
        var underWay: [ClientHandler] = []
        streams.forEach { _, stream in if let handler = stream.handler { underWay.append(handler) } }
        for handler in underWay { handler.abandon() }
        cancelAll()
        machine.end(.noError)
        if let transport { write(to: transport) }
        transport?.close()
    }

    var standing: [ClientHandler] {
        var found: [ClientHandler] = []
        streams.forEach { _, stream in found += stream.handler?.standing ?? [] }
        return found
    }
}
