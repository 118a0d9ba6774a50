import Crypto
import NIOCore
import NIOHTTP1
import StrictJSON

/// One request as it arrived; bounded by the head, whatever the size of its body.
struct Received {
    let head: HTTPRequestHead
    var body = BodyDigest()

    init(head: HTTPRequestHead) {
        self.head = head
    }

    /// The answer: `method`, `target`, `version`, `headers` (a list of name and value, in order, repeats kept),
    /// `bodyBytes`, `bodySHA256` and, of a short printable body, `bodyStart`.
    func json() -> [UInt8] {
        var out = JSONWriter()
        out.object { out in
            out.member("method", head.method.rawValue)
            out.member("target", head.uri)
            out.member("version", "HTTP/\(head.version.major).\(head.version.minor)")
            out.member("headers") { out in
                out.array { out in
                    for (name, value) in head.headers {
                        out.array { out in
                            out.string(name)
                            out.string(value)
                        }
                    }
                }
            }
            out.member("bodyBytes", body.count)
            out.member("bodySHA256", body.hexadecimal())
            if body.count > 0 { out.member("bodyStart", body.start) }
        }
        return out.finish() + [UInt8(ascii: "\n")]
    }
}

/// The length, hash and first bytes of a body that is never held.
struct BodyDigest {
    private static let startLimit = 256
    private var hash = SHA256()
    private var first: [UInt8] = []
    private(set) var count: Int64 = 0

    mutating func append(_ bytes: ByteBuffer) {
        count += Int64(bytes.readableBytes)
        unsafe bytes.withUnsafeReadableBytes { raw in
            // Read-only for the length of the call; the hash keeps no pointer.
            unsafe hash.update(bufferPointer: raw)
        }
        if first.count < Self.startLimit {
            first.append(contentsOf: bytes.readableBytesView.prefix(Self.startLimit - first.count))
        }
    }

    /// The first 256 bytes as text, invalid UTF-8 repaired.
    var start: String { String(decoding: first, as: UTF8.self) }

    func hexadecimal() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in hash.finalize() {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
