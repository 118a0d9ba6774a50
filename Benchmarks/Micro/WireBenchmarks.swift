import NIOCore
import Wire

/// Parsing of heads and writing of the head that goes upstream.
func measureWire(_ report: (String, Stopwatch.Cost) -> Void, _ stopwatch: Stopwatch) {
    for (name, buffer) in [("4 fields", Sample.plainRequest), ("18 fields", Sample.browserRequest)] {
        var parser = RequestParser()
        report(
            "parse request head, \(name), \(buffer.readableBytes) bytes",
            stopwatch.cost { _ in
                parser.reset()
                keep(parser.parse(buffer))
            })
        var out = ByteBuffer()
        out.reserveCapacity(8192)
        let head = parser.head
        report(
            "copy kept fields, \(name)",
            stopwatch.cost { _ in
                out.clear()
                head.appendFields(of: buffer, dropping: .inboundStripped, to: &out)
            })
    }
    var parser = ResponseParser()
    report(
        "parse response head, 2 fields",
        stopwatch.cost { _ in
            parser.reset()
            keep(parser.parse(Sample.response, isAnswerToHEAD: false))
        })
    let head = parser.head
    var out = ByteBuffer()
    out.reserveCapacity(8192)
    report(
        "write response head",
        stopwatch.cost { _ in
            out.clear()
            head.appendStatusLine(of: Sample.response, to: &out)
            head.appendFields(of: Sample.response, dropping: .hopByHop, to: &out)
        })
}
