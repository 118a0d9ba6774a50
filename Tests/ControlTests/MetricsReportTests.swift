import Control
import Testing

@Suite struct MetricsReportTests {
    @Test func textIsEscaped() {
        let report = MetricsReport([
            MetricFamily(
                "a_total", help: "Line\nwith \\ and \"quotes\".", kind: .counter,
                samples: [
                    .init(
                        labels: [(name: "route", value: "a\"b\\c\nd"), (name: "outcome", value: "admitted")],
                        .integer(7))
                ])
        ])
        #expect(
            String(decoding: report.render(), as: UTF8.self) == """
                # HELP a_total Line\\nwith \\\\ and "quotes".
                # TYPE a_total counter
                a_total{route="a\\"b\\\\c\\nd",outcome="admitted"} 7

                """)
    }

    @Test func histogramsAreCumulative() {
        let family = MetricFamily.histogram(
            "d_seconds", help: "Time.", bounds: [0.01, 0.1], series: [(labels: [], counts: [2, 3, 1], sum: 0.5)])
        #expect(
            String(decoding: MetricsReport([family]).render(), as: UTF8.self) == """
                # HELP d_seconds Time.
                # TYPE d_seconds histogram
                d_seconds_bucket{le="0.01"} 2
                d_seconds_bucket{le="0.1"} 5
                d_seconds_bucket{le="+Inf"} 6
                d_seconds_sum 0.5
                d_seconds_count 6

                """)
    }

    @Test func realNumbersHaveTheirNames() {
        let family = MetricFamily(
            "x", help: "", kind: .gauge,
            samples: [.init(.real(.nan)), .init(.real(.infinity)), .init(.real(-.infinity)), .init(.real(1.5))])
        let lines = String(decoding: MetricsReport([family]).render(), as: UTF8.self).split(separator: "\n")
        #expect(lines.suffix(4) == ["x NaN", "x +Inf", "x -Inf", "x 1.5"])
    }
}
