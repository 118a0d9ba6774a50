import HTTP2
import TestKit
import Testing

/// Names and values are looked at several octets at a time; these tests put every octet at every place of such a group.
@Suite("The rules of fields (RFC 9113 §8.2)") struct FieldRulesTests {
    /// Whether a request with these fields, and something behind them, is one.
    private func isTaken(_ fields: [(name: [UInt8], value: [UInt8])]) -> Bool {
        let server = Server(greets: false)
        let block: [UInt8] = fields.reduce([]) { $0 + [0x00] + Bytes.string($1.name) + Bytes.string($1.value) }
        server.feed(
            Bytes.preface + Bytes.settings() + Bytes.frame(1, 0x5, 1, block + Bytes.block([("x-last", "1")]))
                + Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)))
        switch server.events.last {
        case .message?, .end?: return true
        case .malformed?: return false
        case _:
            Issue.record("\(server.events)")
            return false
        }
    }

    private static let request = Bytes.get.map { (name: latin1($0.0), value: latin1($0.1)) }

    private func isTaken(name: [UInt8], value: [UInt8] = [0x31]) -> Bool {
        isTaken(Self.request + [(name: name, value: value)])
    }

    private func isTaken(method: [UInt8]) -> Bool {
        isTaken([(name: latin1(":method"), value: method)] + Self.request.dropFirst())
    }

    private static let symbols = Set("!#$%&'*+-.^_`|~0123456789".utf8)

    private static func isLetter(_ octet: UInt8) -> Bool {
        octet | 0x20 >= 0x61 && octet | 0x20 <= 0x7A && octet < 0x80
    }

    @Test("Every octet in a name") func names() {
        for octet in UInt8.min...UInt8.max {
            let isAllowed = Self.symbols.contains(octet) || Self.isLetter(octet) && octet & 0x20 != 0
            for place in [0, 1, 6, 7, 8, 9, 15, 16, 18] {
                var name = latin1("x-abcdefghijklmnopq")
                name[place] = octet
                #expect(isTaken(name: name) == isAllowed, "\(octet) at \(place)")
            }
        }
        #expect(!isTaken(name: []))
    }

    @Test("Every octet in a value") func values() {
        for octet in UInt8.min...UInt8.max {
            let isAllowed = octet == 0x09 || octet >= 0x20 && octet != 0x7F
            for place in [0, 1, 7, 8, 31, 32, 33, 39, 40, 63, 64, 69, 70] {
                var value = [UInt8](repeating: 0x61, count: 71)
                value[place] = octet
                let isBlankAtAnEnd = (place == 0 || place == 70) && (octet == 0x09 || octet == 0x20)
                #expect(
                    isTaken(name: [0x78], value: value) == (isAllowed && !isBlankAtAnEnd), "\(octet) at \(place)")
            }
        }
        #expect(isTaken(name: [0x78], value: []))
        #expect(!isTaken(name: [0x78], value: [0x20]))
    }

    @Test("Every octet in a method") func methods() {
        for octet in UInt8.min...UInt8.max {
            let isAllowed = Self.symbols.contains(octet) || Self.isLetter(octet)
            for place in [0, 3, 7, 8, 11] {
                var method = latin1("PROPPATCHING")
                method[place] = octet
                #expect(isTaken(method: method) == isAllowed, "\(octet) at \(place)")
            }
        }
        #expect(!isTaken(method: []))
    }
}
