/// How much of a peer's head is held before it is refused. All in bytes but `maximumFields`.
///
/// Every limit is a position in the byte stream, so that the same bytes are refused for the same reason however they
/// were cut into reads.
package struct HeadLimits: Sendable, Equatable {
    /// The whole head: start line, fields and the empty line.
    package var maximumHeadBytes: Int
    /// The request-target.
    package var maximumTargetBytes: Int
    /// How many field lines.
    package var maximumFields: Int
    /// One field line without its CRLF; also a reason phrase.
    package var maximumFieldBytes: Int

    /// Limits, each brought into the range the parsers can represent (1 byte to 1 GiB, 0 to 65535 fields).
    package init(
        maximumHeadBytes: Int = 32768,
        maximumTargetBytes: Int = 8192,
        maximumFields: Int = 100,
        maximumFieldBytes: Int = 16384
    ) {
        self.maximumHeadBytes = min(max(maximumHeadBytes, 1), 1 << 30)
        self.maximumTargetBytes = min(max(maximumTargetBytes, 1), 1 << 30)
        self.maximumFields = min(max(maximumFields, 0), 65535)
        self.maximumFieldBytes = min(max(maximumFieldBytes, 1), 1 << 30)
    }
}
