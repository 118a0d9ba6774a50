import StrictJSON
import TestKit
import Testing

@testable import Audit

@Suite struct AuditChainTests {
    /// Computed once with Python's hashlib from the definition in `AuditChain`.
    @Test func knownVector() {
        var chain = AuditChain()
        var output: [UInt8] = []
        chain.seal(Array(#"{"a":1"#.utf8).span, into: &output)
        chain.seal(Array(#"{"b":2"#.utf8).span, into: &output)
        #expect(
            String(decoding: output, as: UTF8.self) == """
                {"a":1,"seq":1,"chain":"8994f4ece8de92cb7d52d9461e501111abfc1c4b64b88011b6d6fa990fb3f6e3"}
                {"b":2,"seq":2,"chain":"db41072b999cb12b4cc4acf0c91fe84e8b09473bd13f6f30432cbaa47be63f7f"}

                """)
        #expect(chain.sequence == 2)
    }

    @Test func sealsReadBack() throws {
        var chain = AuditChain()
        for number in [1, 2, 9, 10, 11, 99, 100, 101] as [UInt64] {
            while chain.sequence < number {
                var output: [UInt8] = []
                chain.seal(Array(#"{"x":",\"seq\":7,\"chain\":\"""#.utf8).span, into: &output)
                #expect(output.last == UInt8(ascii: "\n"))
                let line = Array(output.dropLast())
                let seal = try #require(readSeal(line))
                #expect(seal.sequence == chain.sequence && seal.chain == chain.hash)
                #expect(AuditChain(after: seal) == chain)
                #expect(try parse(line).member("seq")?.number?.integer == Int64(chain.sequence))
            }
        }
    }

    @Test func sealIsWithinItsBound() throws {
        let last = try #require(
            readSeal(
                Array(#"{"x":1,"seq":18446744073709551614,"chain":"\#(String(repeating: "a", count: 64))"}"#.utf8)))
        var chain = AuditChain(after: last)
        var output: [UInt8] = []
        chain.seal(Array(#"{"x":1"#.utf8).span, into: &output)
        #expect(output.count == 6 + AuditChain.maximumSealBytes)
    }

    @Test func everyChangedByteOfTheSealIsNoticed() throws {
        var chain = AuditChain()
        var output: [UInt8] = []
        chain.seal(Array(#"{"a":1"#.utf8).span, into: &output)
        let line = Array(output.dropLast())
        for index in 0..<line.count {
            for replacement in [0x20, 0x22, 0x30, 0x61, 0x41, 0xFF] as [UInt8] where replacement != line[index] {
                var changed = line
                changed[index] = replacement
                guard let seal = SealedLine(changed.span) else { continue }
                let hash = AuditChain.hash(
                    previous: AuditChain().hash, body: changed.span.extracting(first: seal.bodyLength))
                #expect(hash != seal.chain || seal.sequence != 1, "byte \(index)")
            }
        }
        for length in 0..<line.count { #expect(readSeal(Array(line[..<length])) == nil) }
    }

    @Test(arguments: [
        #"{"a":1,"seq":01,"chain":"H"}"#, #"{"a":1,"seq":,"chain":"H"}"#, #"{"a":1,"seq":-1,"chain":"H"}"#,
        #"{"a":1,"seq":1,"chain":"H"} "#, #"{"a":1,"seq":1,"chain":"h"}"#, #" {"a":1,"seq":1,"chain":"H"}"#,
        #"{"a":1,"seq":18446744073709551616,"chain":"H"}"#, #"{"a":1,"seq":99999999999999999999999,"chain":"H"}"#,
        #"{"a":1,"sec":1,"chain":"H"}"#, #"{"a":1,"seq":1,"chain":"H"]"#, #","seq":1,"chain":"H"}"#,
    ])
    func noSeals(text: String) {
        let hash = String(repeating: "0a", count: 32)
        let line = text.split(separator: "H", omittingEmptySubsequences: false).joined(separator: hash)
        #expect(readSeal(Array(line.utf8)) == nil)
    }
}
