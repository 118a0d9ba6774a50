import Gate
import RateLimit
import Testing

@testable import Proxy

@Suite struct AnswerDateTests {
    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"), (-2_208_988_800, "Mon, 01 Jan 1900 00:00:00 GMT"),
            (-2_208_988_801, ""), (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (253_402_300_800, ""),
            (.max, ""), (.min, ""),
        ] as [(Int64, String)])
    func datesAreWrittenAsHTTPHasThem(_ second: Int64, _ text: String) {
        #expect(String(decoding: HTTPDate.text(ofUnixSecond: second), as: UTF8.self) == text)
    }

    /// RFC 9110 §6.6.1.
    @Test func anAnswerWithoutADateGetsOne() {
        for own in [nil, "Date: Sun, 06 Nov 1994 08:49:37 GMT"] {
            let shell = ExchangeShell()
            shell.client("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let line = own.map { $0 + "\r\n" } ?? ""
            shell.origin("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\(line)Content-Length: 0\r\n\r\n")
            let dates = shell.sentToClient.split(separator: "\r\n").filter { $0.lowercased().hasPrefix("date:") }
            #expect(dates.map(String.init) == [own ?? "date: Thu, 01 Jan 1970 00:00:00 GMT"])
        }
    }

    @Test func theDateGoesOnWithTime() {
        let lines = AnswerLines(LimitRules(quota: .standard, failures: .standard), unixNanoseconds: 999_999_999)
        let first = lines.date
        lines.renew(unixNanoseconds: 1_000_000_000)
        #expect(first == Array("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".utf8))
        #expect(lines.date == Array("date: Thu, 01 Jan 1970 00:00:01 GMT\r\n".utf8))
    }
}
