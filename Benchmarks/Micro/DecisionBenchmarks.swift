import Authentication
import Identity
import Policy
import RateLimit
import Routing
import Wire

/// Path, route, limiter and policy: what a decision about a known caller is made of.
func measureDecision(_ report: (String, Stopwatch.Cost) -> Void, _ stopwatch: Stopwatch) throws {
    let raw = Array(Sample.path.utf8)
    let encoded = Array("/api/2/things/acme%3Alamp-00042/features/../features/light".utf8)
    let method = Array("GET".utf8)
    let host = Array("bench.example".utf8)
    var path = NormalPath()
    report(
        "normalise path, plain",
        stopwatch.cost { _ in keep(path.assign(raw.span)) })
    report(
        "normalise path, escapes and dot segments",
        stopwatch.cost { _ in keep(path.assign(encoded.span)) })

    var rules: [RouteRule] = []
    for index in 0..<50 {
        rules.append(try RouteRule(name: "route-\(index)", path: "/api/\(index)/things/**"))
    }
    let pattern = try RoutePattern("/api/2/things/**")
    let table = try RouteTable(rules)
    _ = path.assign(raw.span)
    report(
        "match route, 50 routes",
        stopwatch.cost { _ in keep(table.match(method: .get, methodBytes: method.span, host: host.span, path: path)) })

    let quota = try Quota(requestsPerMinute: 1_000_000, burst: 1_000_000)
    let limiter = LimiterTable(maximumCells: 100_000, shards: 64)
    var cells: [Cell] = []
    for index in 0..<1_000 {
        cells.append(limiter.cell(for: LimiterKey(namespace: 1, "client-\(index)"), quota: quota, now: 0))
    }
    var now: Int64 = 0
    report(
        "take from a held limiter cell, 1,000 clients in turn",
        stopwatch.cost { index in
            now += 1_000_000
            keep(cells[index % 1_000].take(now: now))
        })
    let key = LimiterKey(namespace: 1, "client-500")
    report(
        "find a client's cell in the table (first request of a client)",
        stopwatch.cost { _ in keep(limiter.cell(for: key, quota: quota, now: now)) })

    var subjects: [PolicyDocument.Subject] = []
    for index in 0..<1_000 { subjects.append(.init(id: "bench:user-\(index)")) }
    let resources: [PolicyDocument.Resource] = [
        .init(key: "thing:/", grant: [.read, .write]),
        .init(key: "thing:/acme:lamp-00042/features/firmware", revoke: .write),
        .init(key: "thing:/acme:lamp-00042/features/light", grant: .read),
    ]
    let engine = try PolicyEngine(
        document: PolicyDocument(
            policyId: "bench:things",
            entries: [.init(label: "users", subjects: subjects, resources: resources)]))
    let view = engine.view(for: ["bench:user-500"], now: 0)
    let template = try CaptureTemplate(resource: "thing:/{rest}", for: pattern)
    report(
        "policy verdict from a held view, 3 segments",
        stopwatch.cost { _ in
            var cursor = view.start(type: template.type.span)
            template.walk(path, restStart: 3) { cursor.descend($0) }
            keep(cursor.verdict(.read, .partial))
        })
    report(
        "policy view of a caller, 1,000 subjects (first request of a caller)",
        stopwatch.cost { _ in keep(engine.view(for: ["bench:user-500"], now: 0)) })
    var generator = DecisionIDGenerator(prefix: 1, key: 2)
    report("next decision id", stopwatch.cost { _ in keep(generator.next()) })
}

private final class Admission: Sendable {}

/// The look-up every request of a known caller makes.
func measureCredentialCache(_ report: (String, Stopwatch.Cost) -> Void, _ stopwatch: Stopwatch) {
    var random = SystemRandomNumberGenerator()
    var cache = CredentialCache<Admission>(key: CredentialHashKey(random: &random))
    var credentials: [[UInt8]] = []
    let none: [UInt8] = []
    for index in 0..<1_000 {
        let suffix = Array("\(1_000 + index)".utf8)
        let bytes = Array("Bearer \(Sample.token)".utf8.dropLast(suffix.count)) + suffix
        credentials.append(bytes)
        let key = CredentialKey(authorization: bytes.span, apiToken: none.span, allowed: .jwt)
        cache.insert(key, value: Admission(), expires: .max, generation: 1, now: 0)
    }
    var found = 0
    let cost = stopwatch.cost { index in
        let bytes = credentials[index % 1_000]
        let hit = cache.find(
            authorization: bytes.span, apiToken: none.span, allowed: .jwt, generation: 1, now: 0)
        if hit != nil { found += 1 }
    }
    report(
        "find a known credential, 1,000 of \(credentials[0].count) bytes in turn\(found > 0 ? "" : ": NONE FOUND")",
        cost)
}
