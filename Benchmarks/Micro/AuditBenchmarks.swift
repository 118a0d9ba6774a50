import Audit
import Glibc
import Identity

/// Rendering one record into a loop's ring. The writer's own work is on its thread and not in these numbers.
func measureAudit(_ report: (String, Stopwatch.Cost) -> Void, _ stopwatch: Stopwatch) throws {
    let directory = "micro-audit-\(getpid())"
    let writer = try AuditWriter(AuditSettings(directory: directory), loops: 1)
    let ring = writer.rings[0]
    let identity = IdentityFragment.render(
        Principal(
            subjects: ["bench:auth0|user0000000000000042"], solution: "client-user-00042", tenant: "org_042",
            client: "client-user-00042", issuer: "bench", credential: .jwt))
    let route = AuditText("things")
    let entry = AuditText("users")
    let peer = AuditText("127.0.0.1:54321")
    let upstream = UpstreamFragment(endpoint: AuditText("127.0.0.1:9000"), pool: AuditText("things"))
    let method = Array("GET".utf8)
    let path = Array(Sample.path.utf8)
    var decisions = DecisionIDGenerator(prefix: 1, key: 2)
    report(
        "append an audit record",
        stopwatch.cost(between: { writer.flush() }) { index in
            ring.append(
                unixNanoseconds: 1_700_000_000_000_000_000 + Int64(index) * 10_000, decision: decisions.next(),
                route: route, method: method.span, path: path.span, status: 200, outcome: .admitted, reason: "",
                identity: identity, policyEntry: entry, peer: peer, upstream: upstream, bytesIn: 837, bytesOut: 195,
                durationMicros: 412)
        })
    let lost = ring.dropped
    writer.stop()
    if lost > 0 { print("            \(lost) records found no room: the number above is too low") }
}
