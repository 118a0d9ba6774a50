@testable import Authentication
import TestKit
import Testing

@Suite struct Base64Tests {
    private func decodeURL(_ text: String) -> [UInt8]? { Base64.decodeURL(Array(text.utf8)[...]) }

    @Test func everyLengthReadsBack() {
        var random = SeededGenerator(seed: 5)
        for count in 0..<70 {
            let bytes = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            let url = base64url(bytes)
            #expect(Base64.encodeURL(bytes) == Array(url.utf8))
            #expect(decodeURL(url) == bytes)
            let padded = base64(bytes)
            #expect(Base64.decodePadded(Array(padded.utf8)[...]) == bytes)
            #expect(Base64.decodeUnpadded(Base64.encodeUnpadded(bytes)[...]) == bytes)
        }
    }

    @Test func aSliceIsReadWhereItStands() {
        let text = Array("..AQID..".utf8)
        #expect(Base64.decodeURL(text[2..<6]) == [1, 2, 3])
    }

    @Test(arguments: [
        "A", "AAAAA", "AB", "AAB", "AAAAAB", "AA==", "AAA=", "AA+A", "AA/A", "AA A", "AA\nA", " AAA", "AAA ", "AA.A",
        "A\u{e9}A",
        "AA\0A",
    ])
    func base64urlHasOneSpelling(_ text: String) {
        #expect(decodeURL(text) == nil)
    }

    @Test(arguments: [
        "AA", "AA=", "AA===", "AB==", "AAB=", "A===", "====", "AA-A", "AA_A", "=AAA", "AA=A", "AAAA=", "AA==AAAA",
    ])
    func paddedBase64HasOneSpelling(_ text: String) {
        #expect(Base64.decodePadded(Array(text.utf8)[...]) == nil)
    }

    @Test func exactlyTheAlphabetIsAccepted() {
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for byte in UInt8.min ... .max {
            let text: [UInt8] = [UInt8(ascii: "A"), byte, UInt8(ascii: "A"), UInt8(ascii: "A")]
            #expect((Base64.decodeURL(text[...]) != nil) == alphabet.contains(byte))
        }
    }
}
