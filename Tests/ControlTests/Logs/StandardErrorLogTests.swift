import Control
import Logging
import StrictJSON
import NIOConcurrencyHelpers
import Testing

@Suite struct StandardErrorLogTests {
    private func line(_ format: StandardErrorLog.Format, _ body: (Logger) -> Void) -> String {
        let lines = NIOLockedValueBox<[UInt8]>([])
        body(
            Logger(label: "tollgate") { label in
                StandardErrorLog(
                    label: label, format: format, level: .info, now: { "T" },
                    write: { line in lines.withLockedValue { $0 += line } })
            })
        return String(decoding: lines.withLockedValue { $0 }, as: UTF8.self)
    }

    @Test func textIsOneLine() {
        let text = line(.text) { log in
            log.debug("not written")
            log.warning("a\nb \u{1b}[31m", metadata: ["z": "1", "issuer": "x\"\r\ny"])
        }
        #expect(text == "T warning a\\u{a}b \\u{1b}[31m issuer=\"x\\\"\\r\\ny\" z=\"1\"\n")
    }

    @Test func jsonIsAnObject() throws {
        let text = line(.json) { $0.error("a\n\"b\"", metadata: ["path": "/x"]) }
        #expect(text.hasSuffix("}\n"))
        let json = try JSON.parse(Array(text.dropLast().utf8), limits: .configuration)
        #expect(json.member("message")?.string == "a\n\"b\"")
        #expect(json.member("level")?.string == "error")
        #expect(json.member("path")?.string == "/x")
        #expect(json.member("logger")?.string == "tollgate")
    }
}
