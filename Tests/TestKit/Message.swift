/// The head and body of one HTTP/1.1 message as a lenient reader sees it: enough to tell messages apart, no more. What
/// stands in the bytes is kept as it came.
package struct Message: Sendable {
    /// How the message ended.
    package enum Ending: Sendable, Equatable {
        /// All of it came, by its own framing.
        case complete
        /// The connection ended before the message did.
        case cut
        /// The deadline came before the end.
        case timeout
    }

    /// One field line: the name in lower case, the value trimmed, both read as Latin-1.
    package struct Field: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    /// The start line without its end, read as Latin-1.
    package var startLine: String
    /// All bytes of the head up to and with the empty line.
    package var rawHead: [UInt8]
    package var fields: [Field]
    /// The body without its framing.
    package var body: [UInt8] = []
    /// The body as it was framed.
    package var rawBody: [UInt8] = []
    package var trailers: [Field] = []
    package var ending = Ending.complete

    /// The values of a field, in order; the name in lower case.
    package func values(_ name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    /// The only value of a field; nil when there is none or more than one.
    package func value(_ name: String) -> String? {
        let found = values(name)
        return found.count == 1 ? found[0] : nil
    }

    /// The status of a response; 0 for anything else.
    package var status: Int {
        let words = startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        return words.count > 1 && startLine.hasPrefix("HTTP/") ? Int(words[1]) ?? 0 : 0
    }

    /// The method of a request.
    package var method: String { String(startLine.prefix { $0 != " " }) }

    /// The target of a request.
    package var target: String {
        let words = startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        return words.count > 1 ? String(words[1]) : ""
    }

    /// The body as UTF-8 text.
    package var text: String { String(decoding: body, as: UTF8.self) }
}

// MARK: - Reading

/// Takes messages off a socket, one after the other.
package final class MessageReader {
    private let socket: Socket
    private var held: [UInt8] = []
    private var start = 0
    /// How the stream ended, once it has.
    package private(set) var streamEnd: Socket.Received?

    /// A reader that owns no more than its buffer; the caller closes the socket.
    package init(_ socket: Socket) {
        self.socket = socket
    }

    /// The bytes that were read and belong to no message yet.
    package var rest: [UInt8] { Array(held[start...]) }

    /// Reads the head of the next message; nil when the stream ended (or the deadline came) before a whole head.
    package func head(by deadline: ContinuousClock.Instant) -> Message? {
        while true {
            while start + 1 < held.count, held[start] == 13, held[start + 1] == 10 { start += 2 }
            if let end = endOfHead() {
                let raw = Array(held[start..<end])
                start = end
                return Self.parseHead(raw)
            }
            guard more(by: deadline) else { return nil }
        }
    }

    /// What frames a body.
    package enum Framing { case none, length(Int), chunked, untilClose }

    /// Reads a body into the message and notes how it ended.
    package func body(_ framing: Framing, into message: inout Message, by deadline: ContinuousClock.Instant) {
        switch framing {
        case .none: return
        case .length(let length):
            while held.count - start < length, more(by: deadline) {}
            let end = min(held.count, start + length)
            message.body = Array(held[start..<end])
            message.rawBody = message.body
            start = end
            if message.body.count < length { message.ending = broken }
        case .untilClose:
            while more(by: deadline) {}
            message.body = Array(held[start...])
            message.rawBody = message.body
            start = held.count
            message.ending = streamEnd == .end ? .complete : broken
        case .chunked:
            let first = start
            message.ending = chunks(into: &message, by: deadline) ? .complete : broken
            message.rawBody = Array(held[first..<start])
        }
        compact()
    }

    /// Reads until the stream ends or the deadline comes.
    package func drain(by deadline: ContinuousClock.Instant) {
        while more(by: deadline) {}
    }

    private var broken: Message.Ending { streamEnd == nil ? .timeout : .cut }

    private func chunks(into message: inout Message, by deadline: ContinuousClock.Instant) -> Bool {
        while true {
            guard let line = line(by: deadline) else { return false }
            let digits = String(decoding: line.prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
            guard let size = Int(digits.filter { $0 != " " && $0 != "\t" }, radix: 16), size >= 0 else { return false }
            if size == 0 { break }
            while held.count - start < size + 2, more(by: deadline) {}
            guard held.count - start >= size + 2 else { return false }
            message.body += held[start..<(start + size)]
            start += size + 2
        }
        while let line = line(by: deadline) {
            if line.isEmpty { return true }
            if let field = Message.Field(line: line) { message.trailers.append(field) }
        }
        return false
    }

    private func line(by deadline: ContinuousClock.Instant) -> [UInt8]? {
        var searched = start
        while true {
            if let end = held[searched...].firstIndex(of: 10) {
                var line = Array(held[start..<end])
                if line.last == 13 { line.removeLast() }
                start = end + 1
                return line
            }
            searched = held.count
            guard more(by: deadline) else { return nil }
        }
    }

    private func more(by deadline: ContinuousClock.Instant) -> Bool {
        guard streamEnd == nil else { return false }
        let received = socket.receive(by: deadline)
        switch received {
        case .bytes(let bytes):
            held += bytes
            return true
        case .end, .reset:
            streamEnd = received
            return false
        case .timeout: return false
        }
    }

    private func endOfHead() -> Int? {
        var place = start
        while let lineEnd = held[place...].firstIndex(of: 10) {
            let next = lineEnd + 1
            if next < held.count, held[next] == 10 { return next + 1 }
            if next + 1 < held.count, held[next] == 13, held[next + 1] == 10 { return next + 2 }
            place = next
        }
        return nil
    }

    private func compact() {
        guard start > 1 << 20 else { return }
        held.removeFirst(start)
        start = 0
    }

    private static func parseHead(_ raw: [UInt8]) -> Message {
        var lines = raw.split(separator: 10, omittingEmptySubsequences: false).map { line in
            line.last == 13 ? Array(line.dropLast()) : Array(line)
        }
        let startLine = lines.isEmpty ? [] : lines.removeFirst()
        return Message(
            startLine: fromLatin1(startLine), rawHead: raw,
            fields: lines.filter { !$0.isEmpty }.compactMap(Message.Field.init(line:)))
    }
}

extension Message.Field {
    init?(line: [UInt8]) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        name = fromLatin1(Array(line[..<colon])).lowercased()
        let value = line[(colon + 1)...].drop { $0 == 32 || $0 == 9 }
        self.value = fromLatin1(Array(value.reversed().drop { $0 == 32 || $0 == 9 }.reversed()))
    }
}

/// A text of which every scalar is one of the bytes, so that no byte is lost or replaced.
package func fromLatin1(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(Unicode.Scalar(byte)) }
    return String(text)
}
