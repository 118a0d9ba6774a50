import Testing
import Wire

@Suite struct FramingTests {
    private func request(_ lines: String, minor: Int = 1) -> (RequestProgress, RequestFraming) {
        let (progress, head) = parse("POST / HTTP/1.\(minor)\r\nHost: h\r\n\(lines)\r\n")
        return (progress, head.framing)
    }

    @Test func requestBodies() {
        #expect(request("") == (.complete, .none))
        #expect(request("Content-Length: 0\r\n") == (.complete, .length(0)))
        #expect(request("Content-Length: 0000000005\r\n") == (.complete, .length(5)))
        #expect(request("Content-Length: 9223372036854775807\r\n") == (.complete, .length(.max)))
        #expect(request("Transfer-Encoding: chunked\r\n") == (.complete, .chunked))
        #expect(request("Transfer-Encoding: \tCHUNKED \r\n") == (.complete, .chunked))
        #expect(request("Content-Length: 5\r\n", minor: 0) == (.complete, .length(5)))
    }

    @Test(arguments: [
        "", " ", "-1", "+1", "0x5", "5 5", "5,5", "5, 5", "1e3", "\"5\"", "5.", "9223372036854775808",
        "18446744073709551621", "99999999999999999999999999",
    ])
    func badLengths(_ value: String) {
        #expect(request("Content-Length: \(value)\r\n").0 == .malformed(.badContentLength))
    }

    @Test(arguments: [
        ("", MalformedRequest.badTransferEncoding), (",", .badTransferEncoding), ("chunked,", .badTransferEncoding),
        ("chunked, chunked", .badTransferEncoding), ("gzip, chunked", .unknownTransferCoding),
        ("gzip, chunked, chunked", .badTransferEncoding),
        ("chunked, gzip", .badTransferEncoding), ("chunked;q=1", .badTransferEncoding),
        ("chun ked", .badTransferEncoding),
        ("\u{A0}chunked", .badTransferEncoding), ("\"chunked\"", .badTransferEncoding),
        ("xchunked", .unknownTransferCoding),
        ("gzip", .unknownTransferCoding), ("identity", .unknownTransferCoding), ("gzip, br", .unknownTransferCoding),
    ])
    func badCodings(_ value: String, _ reason: MalformedRequest) {
        #expect(request("Transfer-Encoding: \(value)\r\n").0 == .malformed(reason))
    }

    @Test func contradictions() {
        let length = "Content-Length: 5\r\n"
        let chunked = "Transfer-Encoding: chunked\r\n"
        #expect(request(length + chunked).0 == .malformed(.lengthWithTransferEncoding))
        #expect(request(chunked + length).0 == .malformed(.lengthWithTransferEncoding))
        #expect(request(chunked + chunked).0 == .malformed(.badTransferEncoding))
        #expect(request(length + length).0 == .malformed(.conflictingLength))
        #expect(request(chunked, minor: 0).0 == .malformed(.transferEncodingInHTTP10))
    }

    @Test func responseBodies() {
        func framing(_ status: Int, _ lines: String, toHEAD: Bool = false) -> ResponseFraming {
            parseResponse("HTTP/1.1 \(status) X\r\n\(lines)\r\n", toHEAD: toHEAD).1.framing
        }
        let length = "Content-Length: 5\r\n"
        let chunked = "Transfer-Encoding: chunked\r\n"
        #expect(framing(200, length) == .length(5))
        #expect(framing(200, chunked) == .chunked)
        #expect(framing(200, "") == .untilClose)
        for status in [100, 101, 103, 204, 304] {
            for lines in ["", length, chunked] { #expect(framing(status, lines) == .none, "\(status)") }
        }
        for lines in ["", length, chunked] { #expect(framing(200, lines, toHEAD: true) == .none) }
        #expect(parseResponse("HTTP/1.1 304 X\r\n\(length)\r\n").1.contentLength == 5)
        #expect(parseResponse("HTTP/1.1 200 X\r\n\(length)\(chunked)\r\n").0 == .malformed(.lengthWithTransferEncoding))
        #expect(parseResponse("HTTP/1.1 200 X\r\n\(length)\(length)\r\n").0 == .malformed(.conflictingLength))
        #expect(parseResponse("HTTP/1.0 200 X\r\n\(chunked)\r\n").0 == .malformed(.transferEncodingInHTTP10))
    }
}
