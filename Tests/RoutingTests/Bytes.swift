import NIOCore
import Routing
import Wire

/// A path as the gate would make it; fails the test by being nil.
func normal(_ raw: String) -> NormalPath? {
    var path = NormalPath()
    let bytes = Array(raw.utf8)
    guard path.assign(bytes.span) == nil else { return nil }
    return .some(path)
}

func defect(_ raw: String) -> PathDefect? {
    var path = NormalPath()
    let bytes = Array(raw.utf8)
    return path.assign(bytes.span)
}

extension NormalPath {
    var text: String { String(decoding: bytes, as: UTF8.self) }

    var words: [String] { segments.map { String(decoding: bytes[$0.range], as: UTF8.self) } }

    var encoded: String {
        var out = ByteBuffer()
        appendEncoded(to: &out)
        return String(buffer: out)
    }
}

extension RouteTable {
    /// A match by text, with the method parsed as the wire would.
    func match(_ method: String, _ raw: String, host: String = "a") -> RouteMatch? {
        guard let path = normal(raw) else { return nil }
        let known: [String: Method] = [
            "GET": .get, "HEAD": .head, "POST": .post, "PUT": .put, "PATCH": .patch, "DELETE": .delete,
            "OPTIONS": .options, "TRACE": .trace, "CONNECT": .connect,
        ]
        let name = Array(method.utf8)
        let authority = Array(host.utf8)
        return match(method: known[method] ?? .other, methodBytes: name.span, host: authority.span, path: path)
    }
}
