import Control
import Gate
import Identity
import Testing

@Suite struct GatewayReportTests {
    @Test func loopsAreSummedByRoute() {
        let loops = [LoopMetrics(), LoopMetrics()]
        loops[0].route("things").record(.admitted, status: 200, micros: 300)
        loops[1].route("things").record(.admitted, status: 204, micros: 20_000_000)
        loops[1].route("").record(.unrouted, status: 404, micros: 10)
        loops[0].connections.add(3)
        loops[1].closedConnections.add()
        let report = GatewayReport(
            loops: loops, audit: nil, limitedClients: 5, isReady: false, reloads: (2, 1), configuredAt: 1_800_000_000,
            issuerKeys: [("a", 2), ("b", nil)])
        let text = String(decoding: report.families().render(), as: UTF8.self)
        for line in [
            #"tollgate_requests_total{route="things",outcome="admitted"} 2"#,
            #"tollgate_requests_total{route="-",outcome="unrouted"} 1"#,
            #"tollgate_responses_total{route="things",status="2xx"} 2"#,
            #"tollgate_request_duration_seconds_bucket{route="things",le="0.0005"} 1"#,
            #"tollgate_request_duration_seconds_bucket{route="things",le="10.0"} 1"#,
            #"tollgate_request_duration_seconds_bucket{route="things",le="+Inf"} 2"#,
            #"tollgate_request_duration_seconds_sum{route="things"} 20.0003"#,
            "tollgate_connections 2", "tollgate_ready 0", "tollgate_limited_clients 5",
            #"tollgate_reloads_total{result="refused"} 1"#, #"tollgate_issuer_keys{issuer="b"} -1"#,
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
        #expect(!text.contains("tollgate_audit"))
    }

    @Test func endpointsAreSummedByUpstream() {
        let loops = [LoopMetrics(), LoopMetrics()]
        for loop in loops {
            let endpoint = loop.upstream("things").endpoint("10.0.0.1:80")
            endpoint.requests.add(3)
            endpoint.inRotation.value = 1
        }
        loops[0].upstream("things").endpoint("10.0.0.2:80").ejections.add()
        loops[1].upstream("things").retries.add(2)
        loops[1].route("r").mirrored.add(4)
        let report = GatewayReport(
            loops: loops, audit: nil, limitedClients: 0, isReady: true, reloads: (0, 0), configuredAt: 0,
            issuerKeys: [])
        let text = String(decoding: report.families().render(), as: UTF8.self)
        for line in [
            #"tollgate_upstream_requests_total{upstream="things",endpoint="10.0.0.1:80"} 6"#,
            #"tollgate_upstream_in_rotation{upstream="things",endpoint="10.0.0.1:80"} 2"#,
            #"tollgate_upstream_in_rotation{upstream="things",endpoint="10.0.0.2:80"} 0"#,
            #"tollgate_upstream_ejections_total{upstream="things",endpoint="10.0.0.2:80"} 1"#,
            #"tollgate_upstream_retries_total{upstream="things"} 2"#,
            #"tollgate_mirrored_requests_total{route="r",result="copied"} 4"#,
        ] {
            #expect(text.contains("\n\(line)\n"), "\(line)")
        }
    }

    @Test func theTrailIsReportedWhereThereIsOne() {
        let report = GatewayReport(
            loops: [], audit: .init(records: 1, bytes: 2, lost: 7, isHealthy: false), limitedClients: 0, isReady: true,
            reloads: (0, 0), configuredAt: 0,
            issuerKeys: [])
        let text = String(decoding: report.families().render(), as: UTF8.self)
        #expect(text.contains("\ntollgate_audit_lost_records_total 7\n"))
        #expect(text.contains("\ntollgate_audit_healthy 0\n"))
        #expect(text.contains("\nprocess_resident_memory_bytes "))
    }
}
