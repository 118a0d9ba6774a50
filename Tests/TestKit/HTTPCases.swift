package import StrictJSON

/// One case of `h1-requests.json`: bytes to send to the gateway and what may come of them.
package struct RequestCase: Sendable, CustomStringConvertible {
    package let id: String
    /// The bytes, with what the case says to repeat repeated.
    package let raw: [UInt8]
    /// `forward`, `close` or a status.
    package let expect: String
    package let alsoOK: [String]
    /// How many requests the origin may see when the case comes out as expected.
    package let originRequests: Int
    /// What the origin must or must not see when the request is forwarded.
    package let checks: [JSON.Member]
    /// The status of the last answer on the connection, where the case names one.
    package let then: String?
    /// Whether the sending side ends after the bytes.
    package let halfClose: Bool
    /// `head` when the head alone decides, `body` when bytes after it do.
    package let phase: String
    package let level: String
    package let why: String

    package var description: String { id }

    /// All cases of the file, with the oracle's identity header renamed to ours.
    package static func load() throws -> [RequestCase] {
        (try Oracle.json("h1-requests.json").array ?? []).compactMap(RequestCase.init)
    }

    private init?(_ json: JSON) {
        guard let id = json.member("id")?.string, let raw = json.member("raw")?.string,
            let expect = json.member("expect")?.string
        else { return nil }
        self.id = id
        self.raw = expanded(raw, json)
        self.expect = expect
        alsoOK = texts(json.member("also_ok"))
        originRequests = json.member("origin_requests")?.number?.integer.flatMap { Int(exactly: $0) } ?? 0
        checks = json.member("checks")?.object ?? []
        then = json.member("then")?.string
        halfClose = json.member("half_close")?.bool ?? false
        phase = json.member("phase")?.string ?? "head"
        level = json.member("level")?.string ?? ""
        why = json.member("why")?.string ?? ""
    }
}

/// One case of `h1-responses.json`: what an origin answers and what the client must get.
package struct ResponseCase: Sendable, CustomStringConvertible {
    /// Bytes or a wait, in the order in which the origin plays them.
    package enum Part: Sendable {
        case bytes([UInt8])
        case pause(seconds: Double)
    }

    package let id: String
    package let parts: [Part]
    /// What the origin does afterwards: `keep`, `close` or `hang`.
    package let then: String
    /// `forward`, `502`, `504` or `abort`.
    package let expect: String
    package let alsoOK: [String]
    package let checks: [JSON.Member]
    package let method: String
    package let level: String
    package let why: String

    package var description: String { id }

    /// All cases of the file.
    package static func load() throws -> [ResponseCase] {
        (try Oracle.json("h1-responses.json").array ?? []).compactMap(ResponseCase.init)
    }

    private init?(_ json: JSON) {
        guard let id = json.member("id")?.string, let raw = json.member("raw"),
            let expect = json.member("expect")?.string
        else { return nil }
        self.id = id
        if let text = raw.string {
            parts = text.isEmpty ? [] : [.bytes(expanded(text, json))]
        } else {
            parts = (raw.array ?? []).compactMap { part in
                if let text = part.string { return .bytes(latin1(text)) }
                return part.number?.double.map { .pause(seconds: $0) }
            }
        }
        then = json.member("then")?.string ?? "keep"
        self.expect = expect
        alsoOK = texts(json.member("also_ok"))
        checks = json.member("checks")?.object ?? []
        method = json.member("method")?.string ?? "GET"
        level = json.member("level")?.string ?? ""
        why = json.member("why")?.string ?? ""
    }
}

private func texts(_ json: JSON?) -> [String] {
    (json?.array ?? []).compactMap(\.string)
}

private func expanded(_ raw: String, _ json: JSON) -> [UInt8] {
    var bytes = latin1(raw)
    if let expand = json.member("expand"), let token = expand.member("token")?.string,
        let text = expand.member("text")?.string, let count = expand.member("count")?.number?.integer,
        let place = bytes.firstRange(of: latin1(token))
    {
        let unit = latin1(text)
        bytes.replaceSubrange(place, with: (0..<count).flatMap { _ in unit })
    }
    // The oracle's gateway adds X-Auth-Subject; ours adds x-tollgate-subject.
    while let place = bytes.firstRange(of: latin1("X-Auth-Subject")) {
        bytes.replaceSubrange(place, with: latin1("X-Tollgate-Subject"))
    }
    return bytes
}
