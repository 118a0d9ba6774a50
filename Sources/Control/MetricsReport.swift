/// The counters of the gateway at one moment, ready to be written as Prometheus text.
///
/// Names and labels come from the code, never from a peer, so that the number of series is bounded; `render` still
/// escapes what it is given.
package struct MetricsReport: Sendable {
    package var families: [MetricFamily]

    package init(_ families: [MetricFamily] = []) {
        self.families = families
    }

    /// The content type of `render`'s text: the Prometheus exposition format, version 0.0.4.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Writes every family: help, type, then one line a sample. O(size of the text).
    package func render() -> [UInt8] {
        var out: [UInt8] = []
        for family in families { family.append(to: &out) }
        return out
    }
}

/// One metric: a name, what it means, and its samples.
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    package let name: String
    package let help: String
    package let kind: Kind
    package var samples: [MetricSample]

    package init(_ name: String, help: String, kind: Kind, samples: [MetricSample]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }

    fileprivate func append(to out: inout [UInt8]) {
        out += "# HELP \(name) ".utf8
        appendEscaped(help, quotes: false, to: &out)
        out += "\n# TYPE \(name) \(kind.rawValue)\n".utf8
        for sample in samples { sample.append(family: name, to: &out) }
    }
}

/// One line of a family.
package struct MetricSample: Sendable {
    package enum Value: Sendable, Equatable {
        case integer(Int64)
        case real(Double)
    }

    /// What follows the family's name: `_bucket`, `_sum`, `_count` in a histogram, else nothing.
    package let suffix: String
    package let labels: [(name: String, value: String)]
    package let value: Value

    package init(suffix: String = "", labels: [(name: String, value: String)] = [], _ value: Value) {
        self.suffix = suffix
        self.labels = labels
        self.value = value
    }

    fileprivate func append(family: String, to out: inout [UInt8]) {
        out += family.utf8
        out += suffix.utf8
        for (index, label) in labels.enumerated() {
            out += (index == 0 ? "{" : ",").utf8
            out += label.name.utf8
            out += "=\"".utf8
            appendEscaped(label.value, quotes: true, to: &out)
            out += "\"".utf8
        }
        if !labels.isEmpty { out += "}".utf8 }
        out += " \(value.text)\n".utf8
    }
}

extension MetricSample.Value {
    fileprivate var text: String {
        switch self {
        case .integer(let number): String(number)
        case .real(let number) where number.isNaN: "NaN"
        case .real(let number) where number.isInfinite: number < 0 ? "-Inf" : "+Inf"
        case .real(let number): String(number)
        }
    }
}

extension MetricFamily {
    /// A histogram from counts per bucket.
    ///
    /// - Parameters:
    ///   - series: per series its labels, the count of each bucket (NOT cumulative; one more than `bounds`, the last
    ///     for what lies above the highest bound) and the sum of all observations.
    ///   - bounds: ascending upper bounds in the metric's base unit.
    package static func histogram(
        _ name: String, help: String, bounds: [Double],
        series: [(labels: [(name: String, value: String)], counts: [Int64], sum: Double)]
    ) -> MetricFamily {
        var samples: [MetricSample] = []
        for one in series {
            var total: Int64 = 0
            for (index, count) in one.counts.enumerated() {
                total += count
                let bound = index < bounds.count ? String(bounds[index]) : "+Inf"
                samples.append(
                    MetricSample(suffix: "_bucket", labels: one.labels + [(name: "le", value: bound)], .integer(total)))
            }
            samples.append(MetricSample(suffix: "_sum", labels: one.labels, .real(one.sum)))
            samples.append(MetricSample(suffix: "_count", labels: one.labels, .integer(total)))
        }
        return MetricFamily(name, help: help, kind: .histogram, samples: samples)
    }
}

private func appendEscaped(_ text: String, quotes: Bool, to out: inout [UInt8]) {
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "\\"): out += "\\\\".utf8
        case UInt8(ascii: "\n"): out += "\\n".utf8
        case UInt8(ascii: "\"") where quotes: out += "\\\"".utf8
        case _: out.append(byte)
        }
    }
}
