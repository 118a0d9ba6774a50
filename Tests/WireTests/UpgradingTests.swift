import NIOCore
import Testing
import Wire

@Suite struct UpgradingTests {
    private func asked(_ fields: String, among known: [String]) -> Int? {
        let bytes = ByteBuffer(string: "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        var parser = RequestParser()
        #expect(parser.parse(bytes) == .complete)
        return parser.head.upgrade(among: known.map { Array($0.utf8) }, in: bytes)
    }

    private func answer(_ text: String, _ body: (borrowing ResponseHead, ByteBuffer) -> Bool) -> Bool {
        let bytes = ByteBuffer(string: text)
        var parser = ResponseParser()
        #expect(parser.parse(bytes, isAnswerToHEAD: false) == .complete)
        return body(parser.head, bytes)
    }

    @Test func theClientsOrderChooses() {
        #expect(asked("Connection: Upgrade\r\nUpgrade: WebSocket\r\n", among: ["websocket"]) == 0)
        #expect(asked("Connection: upgrade\r\nUpgrade: h2c, , b/1 ,a\r\n", among: ["a", "B/1"]) == 1)
        #expect(asked("Connection: upgrade\r\nUpgrade: websocket/13\r\n", among: ["websocket"]) == nil)
        #expect(asked("Connection: upgrade\r\nUpgrade: \r\n", among: ["websocket"]) == nil)
        #expect(asked("Upgrade: websocket\r\n", among: ["websocket"]) == nil)
        #expect(asked("Connection: upgrade\r\nUpgrade: websocket\r\n", among: []) == nil)
    }

    @Test(
        arguments: [
            ("Connection: Upgrade\r\nUpgrade: WEBSOCKET\r\n", true),
            ("Connection: upgrade\r\nUpgrade: websocket, x\r\n", false),
            ("Connection: upgrade\r\nUpgrade: x\r\n", false), ("Connection: upgrade\r\n", false),
            ("Upgrade: websocket\r\n", false), ("", false),
        ])
    func aSwitchIsExactlyWhatWasAskedFor(_ fields: String, _ switches: Bool) {
        let name = Array("websocket".utf8)
        #expect(answer("HTTP/1.1 101 S\r\n\(fields)\r\n") { $0.switches(to: name, in: $1) } == switches)
        #expect(!answer("HTTP/1.1 200 OK\r\n\(fields)\r\n") { $0.switches(to: name, in: $1) })
    }

    @Test(
        arguments: [
            ("text/event-stream", true), ("Text/Event-Stream;charset=utf-8", true), ("text/event-stream ; a=b", true),
            ("text/event-streams", false), ("text/event-strea", false), ("text/plain", false), ("", false),
        ])
    func eventStreamsAreKnownByTheirType(_ type: String, _ isStream: Bool) {
        #expect(
            answer("HTTP/1.1 200 OK\r\nA: b\r\nContent-Type: \(type)\r\n\r\n") { $0.isEventStream(in: $1) } == isStream)
    }
}
