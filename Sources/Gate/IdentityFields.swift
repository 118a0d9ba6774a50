import Identity

/// How a principal is told to the upstream: the fields of CONTRACT.md, each on its line; absent ones are left out.
struct IdentityFields {
    private(set) var bytes: [UInt8] = []
    /// Where the list of subjects stands: `issuer:subject[,issuer:subject]`, as Ditto's pre-authentication takes it, too.
    private(set) var list = 0..<0

    init(_ principal: Principal) {
        var length = 2 * (principal.subject?.utf8.count ?? 0) + principal.client.utf8.count + 128
        length += (principal.solution?.utf8.count ?? 0) + (principal.tenant?.utf8.count ?? 0)
        bytes.reserveCapacity(length)
        append(Self.subject, principal.subject)
        if !principal.subjects.isEmpty {
            bytes.append(Self.subjects)
            let start = bytes.count
            for (index, subject) in principal.subjects.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                appendListMember(subject)
            }
            list = start..<bytes.count
            bytes.append(Self.lineEnd)
        }
        append(Self.solution, principal.solution)
        append(Self.tenant, principal.tenant)
        append(Self.client, principal.client)
    }

    private static let subject: StaticString = "x-tollgate-subject: "
    private static let subjects: StaticString = "x-tollgate-subjects: "
    private static let solution: StaticString = "x-tollgate-solution: "
    private static let tenant: StaticString = "x-tollgate-tenant: "
    private static let client: StaticString = "x-tollgate-client: "
    private static let lineEnd: StaticString = "\r\n"

    private mutating func append(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        bytes.append(name)
        bytes.append(value)
        bytes.append(Self.lineEnd)
    }

    /// A comma inside a subject is percent-encoded, and with it the percent sign: else a subject of the caller's
    /// choosing could pass for two.
    private mutating func appendListMember(_ subject: String) {
        let text = subject.utf8.span
        var end = 0
        while end < text.count, text[end] != UInt8(ascii: ","), text[end] != UInt8(ascii: "%") { end += 1 }
        guard end < text.count else { return bytes.append(subject) }
        for index in text.indices {
            switch text[index] {
            case UInt8(ascii: ","): bytes.append("%2C" as StaticString)
            case UInt8(ascii: "%"): bytes.append("%25" as StaticString)
            case let byte: bytes.append(byte)
            }
        }
    }

    // MARK: - Reading back

    /// The principal whose fields these are. No text of a principal holds a line end, so that the lines are what they were.
    static func principal(_ fields: ArraySlice<UInt8>, issuer: String?, credential: CredentialKind) -> Principal {
        var principal = Principal(subjects: [], client: "", issuer: issuer, credential: credential)
        for line in fields.split(separator: UInt8(ascii: "\n")) {
            let line = line.dropLast()
            if let list = value(line, subjects) {
                principal.subjects = list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(
                    member)
            } else if let value = value(line, solution) {
                principal.solution = String(decoding: value, as: UTF8.self)
            } else if let value = value(line, tenant) {
                principal.tenant = String(decoding: value, as: UTF8.self)
            } else if let value = value(line, client) {
                principal.client = String(decoding: value, as: UTF8.self)
            }
        }
        return principal
    }

    private static func value(_ line: ArraySlice<UInt8>, _ name: StaticString) -> ArraySlice<UInt8>? {
        // Unsafe: the literal is lent for the call.
        let isNamed = name.withUTF8Buffer { unsafe line.starts(with: $0) }
        return isNamed ? line.dropFirst(name.utf8CodeUnitCount) : nil
    }

    private static func member(_ bytes: ArraySlice<UInt8>) -> String {
        var text: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                text.append(byte)
                continue
            }
            text.append(rest.starts(with: "2C".utf8) ? UInt8(ascii: ",") : byte)
            rest = rest.dropFirst(2)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends a text's bytes, at once and without counting a reference.
    mutating func append(_ text: String) {
        // Unsafe: the text lends its bytes for the call.
        unsafe text.utf8.span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    mutating func append(_ text: StaticString) {
        // Unsafe: as above.
        text.withUTF8Buffer { unsafe append(contentsOf: $0) }
    }
}
