import NIOCore
import Wire

/// What the fields of one request say, once they are known to be a request as RFC 9113 §8.3.1 has it; and the same request
/// as HTTP/1.1 (RFC 9112).
///
/// The checks here let nothing through that could mean something else in HTTP/1.1: no line end, no space in the
/// request line, no framing but one that is written here. Whoever parses the result checks it again, with rules of its own.
struct RequestFields: Sendable {
    private(set) var method = ByteRange.empty
    private(set) var scheme: ByteRange?
    private(set) var authority: ByteRange?
    private(set) var path: ByteRange?
    private(set) var contentLength: Int64?
    private(set) var isHEAD = false
    private var isHTTPS = false
    private var host: ByteRange?
    private var cookies = 0

    /// Checks a decoded list.
    init(_ list: HeaderList, stream: UInt32, endsStream: Bool) throws(HTTP2Error) {
        let octets = list.octets.span
        var isAfterFields = false
        for field in list.fields {
            let name = octets.extracting(field.name.range)
            let value = octets.extracting(field.value.range)
            if name.count > 0, name[0] == 0x3A {
                guard !isAfterFields else {
                    throw .stream(stream, .protocolError, "A pseudo-header field stands behind a field.")
                }
                try takePseudo(name, value, field.value, stream)
            } else {
                isAfterFields = true
                try FieldRules.check(name: name, value: value, stream: stream)
                try take(name, value, field.value, stream)
            }
        }
        try finish(octets, stream)
        if endsStream, let contentLength, contentLength != 0 {
            throw .stream(stream, .protocolError, "A length is announced, and no content follows.")
        }
    }

    private mutating func takePseudo(
        _ name: Span<UInt8>, _ value: Span<UInt8>, _ range: ByteRange, _ stream: UInt32
    ) throws(HTTP2Error) {
        guard FieldRules.isVisible(value) else {
            throw .stream(stream, .protocolError, "A pseudo-header field is empty or holds what it must not.")
        }
        if name.equals(":method"), method.isEmpty {
            guard value.isToken else {
                throw .stream(stream, .protocolError, "The method is not a token.")
            }
            method = range
            isHEAD = value.equals("HEAD")
        } else if name.equals(":scheme"), scheme == nil {
            guard value.equals("http") || value.equals("https") else {
                throw .stream(stream, .protocolError, "The scheme is neither http nor https.")
            }
            scheme = range
            isHTTPS = value.count == 5
        } else if name.equals(":authority"), authority == nil {
            for index in value.indices where value[index] == 0x40 {
                throw .stream(stream, .protocolError, "The authority holds user information.")
            }
            authority = range
        } else if name.equals(":path"), path == nil {
            path = range
        } else {
            throw .stream(stream, .protocolError, "A pseudo-header field is unknown or stands twice.")
        }
    }

    private mutating func take(
        _ name: Span<UInt8>, _ value: Span<UInt8>, _ range: ByteRange, _ stream: UInt32
    ) throws(HTTP2Error) {
        switch name.count {
        case 4 where name.equals("host"):
            guard host == nil else { throw .stream(stream, .protocolError, "Host is sent twice.") }
            host = range
        case 6 where name.equals("cookie"):
            cookies += 1
        case 14 where name.equals("content-length"):
            guard contentLength == nil, let length = FieldRules.length(value) else {
                throw .stream(stream, .protocolError, "Content-Length is no number, or sent twice.")
            }
            contentLength = length
        case _:
            break
        }
    }

    private func finish(_ octets: Span<UInt8>, _ stream: UInt32) throws(HTTP2Error) {
        guard !method.isEmpty else { throw .stream(stream, .protocolError, "The request has no method.") }
        if octets.extracting(method.range).equals("CONNECT") {
            // §8.5: an authority, and neither scheme nor path.
            guard authority != nil, scheme == nil, path == nil else {
                throw .stream(stream, .protocolError, "A CONNECT request has other fields than it must have.")
            }
        } else {
            guard scheme != nil, let path else {
                throw .stream(stream, .protocolError, "The request has no scheme or no path.")
            }
            let target = octets.extracting(path.range)
            let isAsterisk = target.equals("*") && octets.extracting(method.range).equals("OPTIONS")
            guard target[0] == 0x2F || isAsterisk else {
                throw .stream(stream, .protocolError, "The path does not begin with a slash.")
            }
        }
        if let authority, let host, !octets.isSameName(authority.range, host.range) {
            throw .stream(stream, .protocolError, "The authority and Host name different servers.")
        }
    }

    /// Whether the content goes in chunks: it follows, and nobody said how long it is.
    func isChunked(endsStream: Bool) -> Bool { !endsStream && contentLength == nil }

    /// Writes the request as an HTTP/1.1 head. O(octets).
    ///
    /// - Parameter namesHTTPS: whether an https URI stands in the request line as a whole.
    func write(_ list: HeaderList, endsStream: Bool, namesHTTPS: Bool, to out: inout ByteBuffer) {
        out.append(reserving: 2 * list.octets.count + list.fields.count * 4 + 96) { out in
            let octets = list.octets.span
            out.append(octets.extracting(method.range))
            out.append(0x20)
            if namesHTTPS, isHTTPS, let authority = authority ?? host {
                out.append("https://")
                out.append(octets.extracting(authority.range))
                // OPTIONS of the whole server has no path then (RFC 9112 §3.2.4).
                if let path, octets[path.range.lowerBound] == 0x2F { out.append(octets.extracting(path.range)) }
            } else if let target = path ?? authority {
                out.append(octets.extracting(target.range))
            }
            out.append(" HTTP/1.1\r\n")
            if let authority = authority ?? host {
                out.append("host: ")
                out.append(octets.extracting(authority.range))
                out.append("\r\n")
            }
            for field in list.fields {
                let name = octets.extracting(field.name.range)
                if name[0] == 0x3A || name.equals("host") || cookies > 1 && name.equals("cookie") { continue }
                out.append(name)
                out.append(": ")
                out.append(octets.extracting(field.value.range))
                out.append("\r\n")
            }
            if cookies > 1 { appendCookies(list, octets, to: &out) }
            if isChunked(endsStream: endsStream) { out.append("transfer-encoding: chunked\r\n") }
            out.append("\r\n")
        }
    }

    /// RFC 9113 §8.2.3: crumbs become one field again.
    private func appendCookies(_ list: HeaderList, _ octets: Span<UInt8>, to out: inout ByteWriter) {
        out.append("cookie: ")
        var isFirst = true
        for field in list.fields where octets.extracting(field.name.range).equals("cookie") {
            if !isFirst { out.append("; ") }
            isFirst = false
            out.append(octets.extracting(field.value.range))
        }
        out.append("\r\n")
    }
}
