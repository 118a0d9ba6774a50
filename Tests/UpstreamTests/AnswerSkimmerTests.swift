import NIOCore
import TestKit
import Testing
import Upstream

@Suite struct AnswerSkimmerTests {
    private func progress(_ pieces: [ByteBuffer], ends: Bool = false) -> AnswerSkimmer.Progress {
        var skimmer = AnswerSkimmer()
        var last = AnswerSkimmer.Progress.more
        for piece in pieces {
            guard case .more = last else { break }
            last = skimmer.received(piece)
        }
        if ends, case .more = last { last = skimmer.ended() }
        return last
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ])
    func anAnswerIsReadToItsEndInAnyPieces(_ text: String) {
        let bytes = latin1(text)
        for feeding in feedings(of: bytes) { #expect(progress(feeding.pieces) == .done(status: 200, isReusable: true)) }
        #expect(progress([ByteBuffer(bytes: bytes.dropLast())]) == .more)
        #expect(progress([ByteBuffer(bytes: bytes + latin1("HTTP/1.1 200"))]) == .done(status: 200, isReusable: false))
    }

    @Test func anAnswerThatLastsUntilTheEndIsWholeWithIt() {
        let bytes = ByteBuffer(string: "HTTP/1.1 503 No\r\n\r\nsorry")
        #expect(progress([bytes]) == .more)
        #expect(progress([bytes], ends: true) == .done(status: 503, isReusable: false))
        #expect(
            progress([ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")], ends: true) == .malformed)
    }

    @Test func whatIsNotHTTPIsMalformed() {
        #expect(progress([ByteBuffer(string: "SSH-2.0-OpenSSH\r\n")]) == .malformed)
        #expect(progress([], ends: true) == .malformed)
    }
}
