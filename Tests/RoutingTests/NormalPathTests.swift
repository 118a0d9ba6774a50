import NIOCore
import Routing
import Testing

@Suite struct NormalPathTests {
    @Test(arguments: [
        "/", "/a", "/a/", "/a/b", "/api/2/things/ns:thing-1/features/x", "/a.b/..c/...", "/-._~!$&'()*+,=:@",
        "/.well-known/x", "/a/.b/..c/",
    ])
    func `a canonical path is plain and forwarded as it stands`(raw: String) throws {
        guard let path = normal(raw) else {
            Issue.record("\(raw) was refused")
            return
        }
        #expect(path.isPlain == true)
        #expect(path.text == raw)
        #expect(path.encoded == raw)
        #expect(path.words == raw.split(separator: "/").map(String.init))
        #expect(path.hasTrailingSlash == raw.hasSuffix("/"))
    }

    @Test(arguments: [
        // raw, decoded, encoded
        ("", "/", "/"),
        ("//", "/", "/"),
        ("/.", "/", "/"),
        ("/a/..", "/", "/"),
        ("/%61dmin", "/admin", "/admin"),
        ("/%41", "/A", "/A"),
        ("/x/../admin", "/admin", "/admin"),
        ("//admin", "/admin", "/admin"),
        ("///admin//x///", "/admin/x/", "/admin/x/"),
        ("/./admin", "/admin", "/admin"),
        ("/x/%2e%2e/admin", "/admin", "/admin"),
        ("/x/%2E./admin", "/admin", "/admin"),
        ("/x/.%2e/admin/%2e", "/admin/", "/admin/"),
        ("/a/b/..", "/a/", "/a/"),
        ("/a/b/.", "/a/b/", "/a/b/"),
        ("/a/b/c/../../d", "/a/d", "/a/d"),
        ("/a//../b", "/b", "/b"),
        ("/a%20b", "/a b", "/a%20b"),
        ("/a%3ab%40%2C", "/a:b@,", "/a:b@,"),
        ("/a;v=1/b", "/a;v=1/b", "/a%3Bv=1/b"),
        ("/a%3bv=1", "/a;v=1", "/a%3Bv=1"),
        ("/[x]", "/[x]", "/%5Bx%5D"),
        ("/caf%c3%a9", "/café", "/caf%C3%A9"),
        ("/100%25", "/100%", "/100%25"),
        ("/100%25x", "/100%x", "/100%25x"),
        ("/%3F%23%22%3C%3E%7B%7D%7C%5E%60", "/?#\"<>{}|^`", "/%3F%23%22%3C%3E%7B%7D%7C%5E%60"),
        ("/...;x", "/...;x", "/...%3Bx"),
    ])
    func `an equivalent path becomes the canonical one`(raw: String, decoded: String, encoded: String) throws {
        guard let path = normal(raw) else {
            Issue.record("\(raw) was refused")
            return
        }
        #expect(path.isPlain == false)
        #expect(Array(path.text.utf8) == Array(decoded.utf8))
        #expect(path.encoded == encoded)
        #expect(path.words == decoded.split(separator: "/").map(String.init))
    }

    @Test(arguments: [
        ("a", PathDefect.notAbsolute),
        ("*", .notAbsolute),
        ("%2Fa", .notAbsolute),
        ("/x/..%2fadmin", .encodedSeparator),
        ("/x%2Fy", .encodedSeparator),
        ("/x/..%5cadmin", .encodedSeparator),
        ("/x\\admin", .backslash),
        ("/x/..\\admin", .backslash),
        ("/x/..;/admin", .dotSegmentParameter),
        ("/x/..;v=1/admin", .dotSegmentParameter),
        ("/x/.;/admin", .dotSegmentParameter),
        ("/x/%2e%2e%3b/admin", .dotSegmentParameter),
        ("/x/..;", .dotSegmentParameter),
        ("/..", .aboveRoot),
        ("/../admin", .aboveRoot),
        ("/a/../../b", .aboveRoot),
        ("/%2e%2e", .aboveRoot),
        ("/%00", .encodedControl),
        ("/x%0d%0aX-A:%20b", .encodedControl),
        ("/x%1f", .encodedControl),
        ("/x%7F", .encodedControl),
        ("/%252e%252e/admin", .doubleEncoding),
        ("/%25%32%65", .doubleEncoding),
        ("/%2561", .doubleEncoding),
        ("/%c0%ae%c0%ae/admin", .overlongEncoding),
        ("/x%C1%9C", .overlongEncoding),
        ("/x%e0%80%af", .overlongEncoding),
        ("/x%f0%80%80%af", .overlongEncoding),
        ("/%", .malformedEscape),
        ("/%4", .malformedEscape),
        ("/%4g", .malformedEscape),
        ("/%g4", .malformedEscape),
        ("/a b", .forbiddenCharacter),
        ("/a\"", .forbiddenCharacter),
        ("/<a>", .forbiddenCharacter),
        ("/{a}", .forbiddenCharacter),
        ("/a|b", .forbiddenCharacter),
        ("/a^b", .forbiddenCharacter),
        ("/a`b", .forbiddenCharacter),
        ("/a?b", .forbiddenCharacter),
        ("/a#b", .forbiddenCharacter),
        ("/café", .forbiddenCharacter),
        ("/a\u{0}", .forbiddenCharacter),
        ("/a\u{7F}", .forbiddenCharacter),
    ])
    func `a path that two readers could read differently is refused`(raw: String, expected: PathDefect) {
        #expect(defect(raw) == expected)
    }

    @Test func `every byte outside ASCII is refused raw and kept encoded`() throws {
        for byte in UInt8(0x80)...UInt8(0xFF) {
            var path = NormalPath()
            let raw: [UInt8] = [UInt8(ascii: "/"), byte]
            #expect(path.assign(raw.span) == .forbiddenCharacter)
            let digits = String(byte, radix: 16, uppercase: true)
            if byte == 0xC0 || byte == 0xC1 { continue }
            guard let kept = normal("/%\(digits)") else {
                Issue.record("/%\(digits) was refused")
                continue
            }
            #expect(kept.bytes == raw)
            #expect(kept.encoded == "/%\(digits)")
        }
    }

    /// Eight bytes at a time pass at once: every byte must stop that at every place within a word.
    @Test func `a byte means the same wherever it stands`() {
        for byte in UInt8(0)...UInt8(0x7F) where byte != UInt8(ascii: "%") {
            let character = String(Unicode.Scalar(byte))
            let alone = defect("/x\(character)x")
            for place in 1..<19 {
                let (before, after) = (String(repeating: "x", count: place), String(repeating: "x", count: 20 - place))
                let raw = "/\(before)\(character)\(after)"
                #expect(defect(raw) == alone, "\(raw)")
                guard let path = normal(raw) else { continue }
                #expect(path.words.joined(separator: "/") == "\(before)\(character)\(after)")
                #expect(path.isPlain == normal("/x\(character)x")?.isPlain)
                #expect(path.words.count == (character == "/" ? 2 : 1))
            }
        }
    }

    @Test func `a path as long as allowed is taken and one byte more is not`() {
        #expect(defect("/" + String(repeating: "a", count: NormalPath.maximumBytes - 1)) == nil)
        #expect(defect("/" + String(repeating: "a", count: NormalPath.maximumBytes)) == .tooLong)
        #expect(defect(String(repeating: "/", count: NormalPath.maximumBytes)) == nil)
    }

    @Test func `after a defect the path is the root`() {
        var path = NormalPath()
        let good = Array("/a/b".utf8)
        let bad = Array("/a/%00".utf8)
        #expect(path.assign(good.span) == nil)
        #expect(path.assign(bad.span) == .encodedControl)
        #expect(path.text == "/")
        #expect(path.segments.isEmpty)
        #expect(path.isPlain == false)
    }

    @Test func `nothing of the path before is left`() {
        var path = NormalPath()
        for raw in ["/a/long/path/with/many/segments", "/x/../y", "", "/z"] {
            let bytes = Array(raw.utf8)
            #expect(path.assign(bytes.span) == nil)
            guard let fresh = normal(raw) else {
                Issue.record("\(raw) was refused")
                continue
            }
            #expect(path.text == fresh.text)
            #expect(path.words == fresh.words)
        }
    }

    @Test func `storage is reused`() {
        var path = NormalPath()
        let long = Array("/some/path/of/a/usual/length/with/ten/segments".utf8)
        let odd = Array("/some/path/../of%20a/usual/length".utf8)
        #expect(path.assign(long.span) == nil)
        let capacity = (path.bytes.capacity, path.segments.capacity)
        for _ in 0..<100 {
            #expect(path.assign(odd.span) == nil)
            #expect(path.assign(long.span) == nil)
        }
        #expect(path.bytes.capacity == capacity.0)
        #expect(path.segments.capacity == capacity.1)
    }

    /// What goes upstream, read again, is the same path: no second reader gets further than the first.
    @Test func `the encoded form is a fixed point, for random paths`() {
        var state: UInt64 = 42
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let pieces = [
            "a", "b", "/", "/", ".", "..", "%2e", "%41", "%20", "%25", "%3b", ";", "%c3", "%a9", "~", "%", "4", "1",
            "%2f", "+", "%2B", "//", "/./", "/../", ":", "%E0", "%80", "[",
        ]
        var accepted = 0
        for _ in 0..<20_000 {
            let raw = "/" + (0..<random(12)).map { _ in pieces[random(pieces.count)] }.joined()
            guard let path = normal(raw) else { continue }
            accepted += 1
            guard let again = normal(path.encoded) else {
                Issue.record("\(raw) is forwarded as \(path.encoded), which is refused")
                continue
            }
            #expect(again.bytes == path.bytes, "\(raw)")
            #expect(again.encoded == path.encoded, "\(raw)")
            #expect(!path.words.contains { $0 == "." || $0 == ".." || $0.isEmpty }, "\(raw)")
            #expect(path.isPlain == false || Array(raw.utf8) == path.bytes, "\(raw)")
        }
        #expect(accepted > 1000)
    }

    @Test func `every defect has a sentence of its own`() {
        #expect(Set(PathDefect.allCases.map { "\($0.detail)" }).count == PathDefect.allCases.count)
    }
}
