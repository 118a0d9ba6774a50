import Glibc
import Settings
import TestKit
import Testing

/// Each class of mistake with its exact place and sentence.
@Suite struct ProblemTests {
    private let fixture = Fixture(
        environment: ["PORT": "8081", "EMPTY": ""],
        files: [
            "k.json": Fixture.keys, "locked": "unreadable", "broken.json": "{\n  \"keys\": [}",
            "secret": "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n",
        ])

    private func expect(
        _ text: String, _ problems: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let found = fixture.problems(text).map { String($0.dropFirst("gateway.json:".count)) }
        #expect(found == problems, sourceLocation: sourceLocation)
    }

    @Test func documents() {
        expect("", ["1:1: error: $: the document is empty; write a JSON value"])
        expect("{\n\n  ,", ["3:3: error: $: ',' stands where a member name in quotes should stand"])
        expect("[]", ["1:1: error: $: expected an object, found an array"])
        expect(
            "{\"workers\": 1,\n \"workers\": 2}",
            ["2:2: error: $: the member \"workers\" stands twice in this object; remove one"])
    }

    @Test func names() {
        expect("{\n  \"worker\": 1}", ["2:3: error: $.worker: unknown member \"worker\"; did you mean \"workers\"?"])
        expect(
            #"{"admin": {"colour": 1}}"#,
            ["1:12: error: $.admin.colour: unknown member \"colour\"; known are \"enabled\", \"address\""])
        expect(
            #"{"rateLimit": {"per": "cleint"}}"#,
            ["1:23: error: $.rateLimit.per: \"cleint\" is not a choice here; did you mean \"client\"?"])
        expect(
            #"{"issuers": {"a b": {"issuer": "x", "audiences": ["y"], "keys": {"url": "https://h/"}}}}"#,
            [
                "1:14: error: $.issuers['a b']: \"a b\" will not do: a name has 1 to 64 letters, digits, dots,"
                    + " underscores and hyphens"
            ])
        expect(
            #"{"solutions": {"a:b": {}}}"#,
            [
                "1:16: error: $.solutions['a:b']: \"a:b\" will not do: an id has 1 to 128 visible ASCII characters,"
                    + " none of them ':' or ','"
            ])
    }

    @Test func numbers() {
        expect(#"{"workers": 1.5}"#, ["1:13: error: $.workers: 1.5 is not a whole number the gateway can hold"])
        expect(#"{"workers": 1e99}"#, ["1:13: error: $.workers: 1e99 is not a whole number the gateway can hold"])
        expect(#"{"workers": "4"}"#, ["1:13: error: $.workers: expected a whole number, found a string"])
        expect(#"{"workers": 2000}"#, ["1:13: error: $.workers: 2000 is not in 0 to 1024"])
        expect(#"{"audit": {"enabled": 1}}"#, ["1:23: error: $.audit.enabled: expected true or false, found a number"])
        expect(
            #"{"rateLimit": {"requestsPerMinute": 0}}"#,
            ["1:37: error: $.rateLimit.requestsPerMinute: 0 is not in 1 to 6000000"])
    }

    @Test func durationsAndSizes() {
        expect(
            """
            {"limits": {"idleTimeout": "10", "headerTimeout": 5, "bodyTimeout": "99h",
              "maximumHeadBytes": "1MB", "maximumFieldBytes": "1TiB", "maximumTargetBytes": true}}
            """,
            [
                "1:28: error: $.limits.idleTimeout: \"10\" is no duration; write a whole number and a unit: 250ms,"
                    + " 10s, 5m, 1h or 90d",
                "1:51: error: $.limits.headerTimeout: expected a duration in quotes such as \"10s\", found a number",
                "1:69: error: $.limits.bodyTimeout: 99h is not in 100ms to 1h",
                "2:23: error: $.limits.maximumHeadBytes: \"1MB\" is no size; write bytes as a number or such as"
                    + " \"64KiB\", \"10MiB\", \"1GiB\"",
                "2:51: error: $.limits.maximumFieldBytes: 1099511627776 bytes is not in 256B to 1MiB",
                "2:81: error: $.limits.maximumTargetBytes: expected a number of bytes or a text such as \"10MiB\"",
            ])
        expect(
            #"{"limits": {"maximumTargetBytes": "32KiB"}}"#,
            [
                "1:12: error: $.limits: maximumTargetBytes (32KiB) has to be less than maximumHeadBytes (32KiB),"
                    + " which it is part of"
            ])
    }

    @Test func listeners() {
        expect(#"{"listeners": []}"#, ["1:15: error: $.listeners: the array is too short: name a listener"])
        expect(
            """
            {"listeners": [{"address": "localhost"}, {"name": "b", "address": "a b:1"},
              {"name": "c", "address": "127.0.0.1:65536"}, {"name": "c", "address": "[::1]:1"},
              {"name": "d", "address": "[::1]:1"}, 7]}
            """,
            [
                "1:28: error: $.listeners[0].address: \"localhost\" has no port; write \"localhost:8080\"",
                "1:67: error: $.listeners[1].address: \"a b:1\" has no host to listen on; write \"127.0.0.1:8080\","
                    + " \"0.0.0.0:8080\" or \"[::]:8080\"",
                "2:28: error: $.listeners[2].address: the port of \"127.0.0.1:65536\" is not in 0 to 65535",
                "2:57: error: $.listeners[3].name: another listener is named \"c\"; names are unique",
                "3:28: error: $.listeners[4].address: another listener has the address [::1]:1",
                "3:40: error: $.listeners[5]: expected an object, found a number",
            ])
        expect(
            #"{"admin": {"address": "127.0.0.1:8080"}}"#,
            [
                "1:1: error: $.listeners[0].address: the admin listener has the address 127.0.0.1:8080 too; choose"
                    + " another port"
            ])
        expect(
            #"{"admin": {"address": "0.0.0.0:9090"}, "routes": []}"#,
            [
                "1:1: warning: $: there are no routes: every request is answered 404",
                "1:23: warning: $.admin.address: 0.0.0.0:9090 may be reached from other machines and asks nobody who"
                    + " they are; bind it to 127.0.0.1 unless the network keeps strangers away",
            ])
    }

    @Test func trustedProxies() {
        expect(
            #"{"forwarding": {"trustedProxies": ["10.0.0.1/8", "10.0.0.0/33", "hello", "::/0"]}}"#,
            [
                "1:36: error: $.forwarding.trustedProxies[0]: \"10.0.0.1/8\" has bits set beyond its prefix; did you"
                    + " mean \"10.0.0.0/8\"?",
                "1:50: error: $.forwarding.trustedProxies[1]: the prefix length of \"10.0.0.0/33\" is not in 0 to 32"
                    + " (IPv4) or 128 (IPv6)",
                "1:65: error: $.forwarding.trustedProxies[2]: \"hello\" is no range of IP addresses; write such as"
                    + " \"10.0.0.0/8\" or \"fd00::/8\"",
                "1:74: warning: $.forwarding.trustedProxies[3]: every address is trusted, so that any client can"
                    + " pretend to come from any other",
            ])
    }

    @Test func upstreams() {
        expect(
            """
            {"upstreams": {"u": {
              "endpoints": ["https://h", "h:1", "http://h:1/x", "http://h:0", "http://a", "http://a:80"],
              "maximumIdlePerWorker": 9, "maximumConnectionsPerWorker": 8, "host": "keep"}, "v": {}}}
            """,
            [
                "1:21: error: $.upstreams.u: maximumIdlePerWorker (9) is more than maximumConnectionsPerWorker (8)",
                "2:16: error: $.upstreams.u.endpoints: some endpoints are https:// and some http://; make two upstreams"
                    + " of them",
                "2:30: error: $.upstreams.u.endpoints[1]: \"h:1\" is no endpoint; write \"http://host:port\"",
                "2:37: error: $.upstreams.u.endpoints[2]: an endpoint is scheme, host and port only; the path is the"
                    + " route's business (\"rewrite\")",
                "2:53: error: $.upstreams.u.endpoints[3]: \"http://h:0\" has no valid host and port; write"
                    + " \"http://host:port\"",
                "2:79: error: $.upstreams.u.endpoints[5]: the endpoint stands twice; remove one",
                "3:72: error: $.upstreams.u.host: \"keep\" is not a choice here; known are \"preserve\", \"endpoint\"",
                "3:86: error: $.upstreams.v: the member \"endpoints\" is missing: The servers: \"http://host:port\", or"
                    + " \"https://host:port\" for all of them.",
            ])
    }

    @Test func upstreamParts() {
        expect(
            """
            {"upstreams": {"u": {
              "endpoints": [{"url": "http://a", "weight": 0}, {"weight": 2}, {"url": "http://b"}, "http://b:80"],
              "balance": "random",
              "healthCheck": {"path": "health", "status": "399-200"},
              "ejection": {"time": "5m", "maximumTime": "1m"}, "retries": {"percent": 101}}}}
            """,
            [
                "2:47: error: $.upstreams.u.endpoints[0].weight: 0 is not in 1 to 1000",
                "2:51: error: $.upstreams.u.endpoints[1]: the member \"url\" is missing: \"http://host:port\" or"
                    + " \"https://host:port\".",
                "2:87: error: $.upstreams.u.endpoints[3]: the endpoint stands twice; remove one",
                "3:14: error: $.upstreams.u.balance: \"random\" is not a choice here; known are \"roundRobin\","
                    + " \"leastRequest\", \"consistentHash\"",
                "4:27: error: $.upstreams.u.healthCheck.path: \"health\" is no path; it begins with / and holds no spaces",
                "4:47: error: $.upstreams.u.healthCheck.status: \"399-200\" names no statuses; write such as \"200\" or"
                    + " \"200-399\"",
                "5:15: error: $.upstreams.u.ejection: maximumTime is shorter than time; make it at least as long",
                "5:75: error: $.upstreams.u.retries.percent: 101 is not in 0 to 100",
            ])
    }

    @Test func solutions() {
        let hash = "96a520ee1dc57fc6fd66dd8050c60a084ae40f7b23fbf43f5057690ba244774a"
        expect(
            """
            {"solutions": {
              "s": {"apiTokens": [{"id": "t", "sha256": "00"}, {"id": "u", "expires": "tomorrow", "sha256":
                "\(hash)"}, {"id": "u", "sha256": "\(hash)"}], "secretHash": "hunter2"},
              "v": {"secretHash": {"env": "EMPTY"}}, "w": {"secretHash": {"flie": "x"}}, "y": {"secretHash": 7},
              "x": {"secretHash": {"file": "secret"}}, "z": {"secretHash": {"file": "none"}}}}
            """,
            [
                "2:45: error: $.solutions.s.apiTokens[0].sha256: this is not the SHA-256 of a token: 64 hexadecimal"
                    + " digits, as `tollgate token create` makes",
                "2:75: error: $.solutions.s.apiTokens[1].expires: \"tomorrow\" is no date and time; write it as"
                    + " RFC 3339 has it: \"2030-01-01T00:00:00Z\"",
                "3:81: error: $.solutions.s.apiTokens[2].id: solution \"s\" has a token with the id \"u\"; ids are"
                    + " unique",
                "3:96: error: $.solutions.s.apiTokens[2].sha256: this is the token \"u\" of solution \"s\"; remove one",
                "3:180: error: $.solutions.s.secretHash: this is no password hash: a hash like"
                    + " $scrypt$ln=15,r=8,p=1$<salt>$<hash> is wanted",
                "4:23: error: $.solutions.v.secretHash: the environment variable EMPTY is not set or empty",
                "4:63: error: $.solutions.w.secretHash.flie: unknown member \"flie\"; did you mean \"file\"?",
                "4:98: error: $.solutions.y.secretHash: expected a text, {\"file\": \"path\"} or {\"env\": \"NAME\"},"
                    + " found a number",
                "5:64: error: $.solutions.z.secretHash: there is no file none; paths are relative to the configuration"
                    + " file",
            ])
    }

    @Test func variables() throws {
        expect(
            #"{"upstreams": {"u": {"endpoints": ["http://h:${PORT}", "http://${NOPE}", "http://${x", "http://${a-b}"]}}}"#,
            [
                "1:56: error: $.upstreams.u.endpoints[1]: the environment variable NOPE is not set",
                "1:74: error: $.upstreams.u.endpoints[2]: \"${\" is not closed by \"}\"; write \"$${\" for the"
                    + " characters themselves",
                "1:88: error: $.upstreams.u.endpoints[3]: \"${a-b}\" names no environment variable: letters, digits"
                    + " and _ only; write \"$${\" for the characters themselves",
            ])
        let settings = try fixture.settings(
            #"{"solutions": {"s": {"subjects": ["a$${b}", "$", "${PORT}${PORT}", "$$ {", "x$"]}}}"#)
        #expect(settings.solutions.first?.subjects == ["a${b}", "$", "80818081", "$$ {", "x$"])
    }
}

/// The world outside, as far as a configuration asks for it.
@Suite struct SurroundingsTests {
    @Test func aPipeThatNobodyWritesToIsEmpty() throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let path = directory + "/pipe"
        // Unsafe: the path is a C string during the call.
        try #require(unsafe mkfifo(path, 0o600) == 0)
        guard case .bytes(let bytes) = Surroundings.process.readFile(path) else {
            Issue.record("a pipe was not read")
            return
        }
        #expect(bytes.isEmpty)
    }

    @Test func filesOfThisMachine() throws {
        guard case .missing = Surroundings.process.readFile("/nowhere/at/all") else {
            Issue.record("a missing file is not told as one")
            return
        }
        guard case .unreadable(let reason) = Surroundings.process.readFile("/") else {
            Issue.record("a directory was read")
            return
        }
        #expect(reason == "Is a directory")
        guard case .bytes(let bytes) = Surroundings.process.readFile(#filePath) else {
            Issue.record("this file cannot be read")
            return
        }
        #expect(bytes.starts(with: "import Glibc\n".utf8))
    }

    @Test func variablesOfThisProcess() {
        #expect(Surroundings.process.environment("PATH")?.isEmpty == false)
        #expect(Surroundings.process.environment("TOLLGATE_SURELY_NOT_SET") == nil)
    }

    @Test func problemsAreBounded() {
        let members = (0..<5000).map { "\"unknown\($0)\": 1" }.joined(separator: ",")
        switch Fixture().read("{\(members)}") {
        case .success: Issue.record("it was accepted")
        case .failure(let error):
            #expect(error.problems.count == 1000)
            #expect(error.problems.last?.message == "there are more problems than are told")
        }
    }
}
