import NIOCore
import Wire

/// Trailer fields as the lines of an HTTP/1.1 trailer section (RFC 9113 §8.1, RFC 9112 §7.1.2).
enum TrailerFields {
    /// Checks a decoded list and appends its lines, without the empty one that ends them. Fields that would have to be known
    /// before the content are left out.
    static func write(_ list: HeaderList, stream: UInt32, to out: inout ByteBuffer) throws(HTTP2Error) {
        let octets = list.octets.span
        for field in list.fields {
            let name = octets.extracting(field.name.range)
            guard name.count > 0, name[0] != 0x3A else {
                throw .stream(stream, .protocolError, "A trailer section holds a pseudo-header field.")
            }
            try FieldRules.check(name: name, value: octets.extracting(field.value.range), stream: stream)
        }
        out.append(reserving: list.octets.count + list.fields.count * 4) { out in
            let octets = list.octets.span
            for field in list.fields {
                let name = octets.extracting(field.name.range)
                guard FieldRules.mayTrail(name) else { continue }
                out.append(name)
                out.append(": ")
                out.append(octets.extracting(field.value.range))
                out.append("\r\n")
            }
        }
    }
}
