/// A response head, as ranges of the buffer it was parsed from; see `RequestHead` on offsets and storage.
package struct ResponseHead: ~Copyable, Sendable {
    /// The status code, 100...599.
    package var status = 0
    /// 0 or 1: the response is HTTP/1.0 or HTTP/1.1.
    package var minorVersion: UInt8 = 1
    /// The reason phrase; may be empty, may hold obs-text.
    package var reason = ByteRange.empty
    /// The field lines in the order they were sent.
    package var fields: [Field] = []
    /// Where the body ends.
    package var framing = ResponseFraming.none
    /// The value of `Content-Length`. Also there when `framing` is `.none`: an answer to HEAD, or 304, may say how long
    /// the content would have been.
    package var contentLength: Int64?
    /// Whether `Date` is among the fields.
    package var hasDate = false
    /// Whether the upstream's connection can be used again after this response (RFC 9112 §9.3).
    package var keepAlive = false
    /// Bytes of the whole head.
    package var length = 0
    /// Index in `fields` of `Upgrade`, when there is one and `Connection` lists `upgrade`: what a 101 switches to.
    package var upgrade: Int?

    /// A head without anything in it.
    package init() {}

    /// Whether another response to the same request follows: 1xx other than 101, after which HTTP/1.1 ends.
    package var isInterim: Bool { (100..<200).contains(status) && status != 101 }

    /// Index in `fields` of the first field of a kind; linear in the number of fields.
    package func firstIndex(of kind: FieldKind) -> Int? {
        fields.firstIndex { $0.kind == kind }
    }

    /// Empties the head and keeps the storage of its fields.
    mutating func reset() {
        var fields = fields
        self.fields = []
        fields.removeAll(keepingCapacity: true)
        self = ResponseHead()
        self.fields = fields
    }
}
