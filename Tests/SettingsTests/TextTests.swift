import Settings
import Testing

@Suite struct TimestampTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2030-01-01T00:00:00Z", 1_893_456_000), ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:34:56Z", 951_827_696), ("2099-12-31T23:59:59Z", 4_102_444_799),
            ("9999-12-31T23:59:59Z", 253_402_300_799), ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("2030-01-01T01:00:00+01:00", 1_893_456_000), ("2029-12-31T18:30:00-05:30", 1_893_456_000),
            ("2030-01-01t00:00:00z", 1_893_456_000), ("2030-01-01 00:00:00Z", 1_893_456_000),
            ("2030-01-01T00:00:00.999999999999Z", 1_893_456_000), ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] as [(String, Int64)])
    func instants(_ text: String, _ seconds: Int64) {
        #expect(Timestamp.parse(text) == seconds)
    }

    @Test(arguments: [
        "", "2030-01-01", "2030-01-01T00:00:00", "2030-1-01T00:00:00Z", "2030-13-01T00:00:00Z", "2030-00-01T00:00:00Z",
        "2030-01-00T00:00:00Z", "2030-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2030-04-31T00:00:00Z",
        "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:61Z", "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00+24:00", "2030-01-01T00:00:00+0100", "2030-01-01T00:00:00Z ", " 2030-01-01T00:00:00Z",
        "+2030-01-01T00:00:00Z", "2030-01-01T00:00:00ZZ", "20٣0-01-01T00:00:00Z",
    ])
    func notInstants(_ text: String) {
        #expect(Timestamp.parse(text) == nil)
    }

    @Test func whatIsWrittenIsReadBack() {
        for seconds in stride(from: Int64(-62_167_219_200), through: 253_402_300_799, by: 86_400 * 37 + 12_347) {
            #expect(Timestamp.parse(Timestamp.text(seconds)) == seconds)
        }
        #expect(Timestamp.text(951_827_696) == "2000-02-29T12:34:56Z")
        #expect(Timestamp.text(.max) == "9999-12-31T23:59:59Z")
        #expect(Timestamp.text(.min) == "0000-01-01T00:00:00Z")
    }
}

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("0.0.0.0/0", "0.0.0.0/0"), ("::1", "::1/128"),
        ("fd00::/8", "fd00::/8"), ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1/128"), ("::/0", "::/0"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"), ("1::", "1::/128"), ("::ffff:1.2.3.4", "::ffff:102:304/128"),
        ("1:0:3:0:0:6:0:0", "1:0:3::6:0:0/128"), ("255.255.255.254/31", "255.255.255.254/31"),
    ])
    func ranges(_ text: String, _ canonical: String) throws {
        #expect(try AddressRange(text).description == canonical)
        #expect(try AddressRange(canonical) == AddressRange(text))
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.-4", "1.2.3.+4", "a.b.c.d", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "12345::", "g::", "::1.2.3", "1.2.3.4::", "[::1]",
        "::1%eth0", "1.2.3.4 ",
    ])
    func notAddresses(_ text: String) {
        #expect(throws: AddressRange.Defect.address) { try AddressRange(text) }
    }

    @Test(arguments: ["1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/+8", "::/129", "::/1000", "1.2.3.4/8/8"])
    func notPrefixes(_ text: String) {
        #expect(throws: AddressRange.Defect.prefix) { try AddressRange(text) }
    }

    @Test func bitsBeyondThePrefixAreRefused() {
        #expect(throws: AddressRange.Defect.hostBits("10.0.0.0/8")) { try AddressRange("10.1.2.3/8") }
        #expect(throws: AddressRange.Defect.hostBits("fd00::/9")) { try AddressRange("fd00::1/9") }
        #expect(throws: AddressRange.Defect.hostBits("192.168.128.0/17")) { try AddressRange("192.168.129.0/17") }
    }
}

/// Durations, sizes and addresses as a configuration writes them, seen through the settings that hold them.
@Suite struct NotationTests {
    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("10s", .seconds(10)), ("5m", .seconds(300)), ("1h", .seconds(3_600)),
        ("1d", .seconds(86_400)), ("1000ms", .seconds(1)), ("0010s", .seconds(10)),
    ])
    func durations(_ text: String, _ duration: Duration) throws {
        let settings = try Fixture().settings(#"{"limits": {"idleTimeout": "\#(text)"}}"#)
        #expect(settings.limits.idleTimeout == duration)
    }

    @Test(arguments: [
        "10", "s", "-1s", "+1s", "1.5s", "1 s", "1S", "1w", "", "10s ", "99999999999999999999s", "999999999999999999d",
        "١s", "1ms1s",
    ])
    func notDurations(_ text: String) {
        #expect(throws: SettingsError.self) {
            try Fixture().read(#"{"limits": {"idleTimeout": "\#(text)"}}"#).get()
        }
    }

    @Test(arguments: [
        ("1048576", 1 << 20), ("\"1048576B\"", 1 << 20), ("\"1024KiB\"", 1 << 20), ("\"10MiB\"", 10 << 20),
        ("\"2GiB\"", 2 << 30), ("\"1TiB\"", 1 << 40), ("0", 0), ("1e3", 1000),
    ])
    func sizes(_ text: String, _ bytes: Int) throws {
        let settings = try Fixture().settings(#"{"limits": {"maximumBodyBytes": \#(text)}}"#)
        #expect(settings.limits.maximumBodyBytes == bytes)
    }

    @Test(arguments: [
        "-1", "1.5", "\"10\"", "\"10MB\"", "\"10 MiB\"", "\"1.5MiB\"", "\"99999999TiB\"", "1e300", "\"MiB\"", "[]",
    ])
    func notSizes(_ text: String) {
        #expect(throws: SettingsError.self) {
            try Fixture().read(#"{"limits": {"maximumBodyBytes": \#(text)}}"#).get()
        }
    }

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:80", "::1", 80), ("localhost:0", "localhost", 0),
        ("a-b.example_1:65535", "a-b.example_1", 65_535),
    ])
    func addresses(_ text: String, _ host: String, _ port: Int) throws {
        let settings = try Fixture().settings(#"{"listeners": [{"address": "\#(text)"}]}"#)
        #expect(settings.listeners.map(\.address) == [HostAndPort(host: host, port: port)])
        #expect(settings.listeners.first?.address.description == text)
    }

    @Test(arguments: [
        "127.0.0.1", ":80", "::1:80", "[::1]", "[::1]80", "[127.0.0.1]:80", "1.2.3.4.5:80", "1.2.3:80", "-a:80",
        "a..b:80", "a:80:80", "a:-1", "a:65536", "a:", "a b:80", "[::1:80", "http://a:80",
    ])
    func notAddresses(_ text: String) {
        #expect(throws: SettingsError.self) {
            try Fixture().read(#"{"listeners": [{"address": "\#(text)"}]}"#).get()
        }
    }

    @Test func loopback() {
        for host in ["127.0.0.1", "127.9.9.9", "::1", "localhost"] {
            #expect(HostAndPort(host: host, port: 1).isLoopback)
        }
        for host in ["0.0.0.0", "::", "128.0.0.1", "::2", "example.com", "localhost.example.com"] {
            #expect(!HostAndPort(host: host, port: 1).isLoopback)
        }
    }
}
