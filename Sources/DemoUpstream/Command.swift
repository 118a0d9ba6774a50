/// What the path of a request asks the demo upstream to do.
enum Command: Equatable {
    /// Answer 200 with what was received.
    case echo
    /// `/status/NNN`: the same with another status, 200 to 599.
    case status(Int)
    /// `/delay/ms`: the same after a pause, at most a minute.
    case delay(milliseconds: Int64)
    /// `/bytes/N`: N bytes of filler, at most 16 GiB.
    case bytes(Int64)

    static let maximumDelay: Int64 = 60_000
    static let maximumBytes: Int64 = 16 << 30

    /// Reads the LAST two segments, so that `/api/2/things/delay/50` works behind a gateway that keeps its prefix.
    init(target: String) {
        let path = target.prefix { $0 != "?" && $0 != "#" }
        let segments = path.split(separator: "/", omittingEmptySubsequences: true)
        guard segments.count >= 2, let number = Int64(segments[segments.count - 1]) else {
            self = .echo
            return
        }
        switch segments[segments.count - 2] {
        case "status" where (200...599).contains(number): self = .status(Int(number))
        case "delay" where (0...Self.maximumDelay).contains(number): self = .delay(milliseconds: number)
        case "bytes" where (0...Self.maximumBytes).contains(number): self = .bytes(number)
        case _: self = .echo
        }
    }
}
