package import NIOCore

/// What a load balancer says about the client behind it, before the first byte of HTTP: the PROXY protocol, versions 1
/// and 2.
///
/// A parser and not a guess: it is asked only where the listener was told to expect the header and the connection comes
/// from a trusted peer. It consumes nothing; hand it the same, grown buffer until it no longer answers `.incomplete`.
package enum ProxyHeader {
    /// The client's address as octets: 4 or 16 of them.
    package struct Source: Sendable, Equatable {
        package let octets: [UInt8]
        package let port: UInt16

        package init(octets: [UInt8], port: UInt16) {
            self.octets = octets
            self.port = port
        }
    }

    package enum Progress: Sendable, Equatable {
        /// More bytes are needed; at most `maximumBytes` in all.
        case incomplete
        /// The header takes `length` bytes. `source` is nil where the balancer speaks for itself (a health check) or knows
        /// no address: then the connection's own peer is the client.
        case complete(length: Int, source: Source?)
        /// The bytes are no header. Nothing may be read from the connection: whose words it carries is not known.
        case malformed(Defect)
    }

    /// What is wrong, in a sentence.
    package enum Defect: String, Sendable {
        case badSignature = "The signature of the PROXY protocol is not whole."
        case unknownVersion = "The PROXY protocol has another version than 1 or 2."
        case headerTooLong = "The header of the PROXY protocol is too long."
        case unknownCommand = "The PROXY protocol knows no such command."
        case unknownFamily = "The PROXY protocol knows no such family of addresses."
        case noRoomForAddresses = "The header of the PROXY protocol is too short for its addresses."
        case noHeader = "The connection does not begin with the header of the PROXY protocol."
        case forbiddenCharacter = "The line of the PROXY protocol holds a forbidden character."
        case lineTooLong = "The line of the PROXY protocol is too long."
        case badLineEnd = "The line of the PROXY protocol does not end in CR LF."
        case emptyLine = "The line of the PROXY protocol is empty."
        case badAddresses = "The line of the PROXY protocol has no two addresses and ports."
    }

    /// The longest header that is read. Version 1 is bounded by 107 bytes; of version 2 this leaves some 2000 bytes for
    /// additions, which are skipped.
    package static let maximumBytes = 2048

    private static let maximumLine = 107
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let linePrefix = Array("PROXY ".utf8)

    /// Reads the header that begins at the buffer's reader index. O(bytes), which are bounded.
    package static func parse(_ buffer: borrowing ByteBuffer) -> Progress {
        let bytes = buffer.readableBytesUInt8Span
        guard !bytes.isEmpty else { return .incomplete }
        return bytes[0] == signature[0] ? parseBinary(bytes) : parseLine(bytes)
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: Span<UInt8>) -> Progress {
        for index in 0..<min(bytes.count, signature.count) where bytes[index] != signature[index] {
            return .malformed(.badSignature)
        }
        guard bytes.count >= 16 else { return .incomplete }
        let command = bytes[12]
        let family = bytes[13]
        let length = 16 + (Int(bytes[14]) << 8 | Int(bytes[15]))
        guard command >> 4 == 2 else { return .malformed(.unknownVersion) }
        guard length <= maximumBytes else { return .malformed(.headerTooLong) }
        switch command & 0x0F {
        case 0:
            return bytes.count < length ? .incomplete : .complete(length: length, source: nil)
        case 1:
            break
        case _:
            return .malformed(.unknownCommand)
        }
        let count: Int
        switch family {
        case 0x11: count = 4
        case 0x21: count = 16
        // Unspecified, datagrams and UNIX sockets: connections of TCP through this balancer have no such source.
        case 0x00, 0x12, 0x22, 0x31, 0x32:
            return bytes.count < length ? .incomplete : .complete(length: length, source: nil)
        case _:
            return .malformed(.unknownFamily)
        }
        guard length >= 16 + 2 * count + 4 else {
            return .malformed(.noRoomForAddresses)
        }
        guard bytes.count >= length else { return .incomplete }
        let portPlace = 16 + 2 * count
        let port = UInt16(bytes[portPlace]) << 8 | UInt16(bytes[portPlace + 1])
        return .complete(length: length, source: Source(octets: copy(bytes, 16..<16 + count), port: port))
    }

    // MARK: Version 1

    private static func parseLine(_ bytes: Span<UInt8>) -> Progress {
        for index in 0..<min(bytes.count, linePrefix.count) where bytes[index] != linePrefix[index] {
            return .malformed(.noHeader)
        }
        var end = linePrefix.count
        while end < min(bytes.count, maximumLine), bytes[end] != UInt8(ascii: "\n") {
            guard bytes[end] < 0x7F, bytes[end] >= 0x20 || bytes[end] == UInt8(ascii: "\r") else {
                return .malformed(.forbiddenCharacter)
            }
            end += 1
        }
        guard end < maximumLine else { return .malformed(.lineTooLong) }
        guard end < bytes.count else { return .incomplete }
        guard bytes[end - 1] == UInt8(ascii: "\r") else {
            return .malformed(.badLineEnd)
        }
        let words = copy(bytes, linePrefix.count..<end - 1).split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard let first = words.first else { return .malformed(.emptyLine) }
        // What follows UNKNOWN is to be ignored.
        if first.elementsEqual("UNKNOWN".utf8) { return .complete(length: end + 1, source: nil) }
        let octets: (ArraySlice<UInt8>) -> [UInt8]?
        if first.elementsEqual("TCP4".utf8) {
            octets = { Literal.v4($0) }
        } else if first.elementsEqual("TCP6".utf8) {
            octets = { Literal.v6($0) }
        } else {
            return .malformed(.unknownFamily)
        }
        guard words.count == 5, let source = octets(words[1]), octets(words[2]) != nil,
            let port = Literal.port(words[3]), Literal.port(words[4]) != nil
        else { return .malformed(.badAddresses) }
        return .complete(length: end + 1, source: Source(octets: source, port: port))
    }

    private static func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        range.map { bytes[$0] }
    }

    /// Addresses and ports as version 1 writes them.
    private enum Literal {
        static func port(_ text: ArraySlice<UInt8>) -> UInt16? {
            guard (1...5).contains(text.count), text.allSatisfy(\.isDigit), text.count == 1 || text.first != ASCII.zero
            else { return nil }
            return UInt16(exactly: text.reduce(0) { $0 * 10 + Int($1 &- ASCII.zero) })
        }

        static func v4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
            let parts = text.split(separator: ASCII.dot, omittingEmptySubsequences: false)
            guard parts.count == 4 else { return nil }
            var octets: [UInt8] = []
            for part in parts {
                // Without leading zeros: some readers take them for octal.
                guard (1...3).contains(part.count), part.allSatisfy(\.isDigit),
                    part.count == 1 || part.first != ASCII.zero,
                    let octet = UInt8(exactly: part.reduce(0) { $0 * 10 + Int($1 &- ASCII.zero) })
                else { return nil }
                octets.append(octet)
            }
            return octets
        }

        static func v6(_ text: ArraySlice<UInt8>) -> [UInt8]? {
            let colon = ASCII.colon
            guard text.count <= 45 else { return nil }
            guard let gap = gap(in: text) else {
                let octets = groups(text.split(separator: colon, omittingEmptySubsequences: false))
                return octets?.count == 16 ? octets : nil
            }
            let head = text[..<gap]
            let tail = text[(gap + 2)...]
            guard
                let first = head.isEmpty ? [] : groups(head.split(separator: colon, omittingEmptySubsequences: false)),
                let last = tail.isEmpty ? [] : groups(tail.split(separator: colon, omittingEmptySubsequences: false)),
                first.count + last.count <= 14
            else { return nil }
            return first + [UInt8](repeating: 0, count: 16 - first.count - last.count) + last
        }

        /// Where the first `::` begins.
        private static func gap(in text: ArraySlice<UInt8>) -> Int? {
            text.indices.first { $0 + 1 < text.endIndex && text[$0] == ASCII.colon && text[$0 + 1] == ASCII.colon }
        }

        /// Two octets for each group, four for an IPv4 address at the end.
        private static func groups(_ parts: [ArraySlice<UInt8>]) -> [UInt8]? {
            guard parts.count <= 8 else { return nil }
            var octets: [UInt8] = []
            for (index, part) in parts.enumerated() {
                if index == parts.count - 1, part.contains(ASCII.dot) {
                    guard let mapped = v4(part) else { return nil }
                    octets += mapped
                    continue
                }
                guard (1...4).contains(part.count) else { return nil }
                var group: UInt16 = 0
                for byte in part {
                    guard let digit = byte.hexadecimalValue else { return nil }
                    group = group << 4 | UInt16(digit)
                }
                octets += [UInt8(truncatingIfNeeded: group >> 8), UInt8(truncatingIfNeeded: group)]
            }
            return octets
        }
    }
}
