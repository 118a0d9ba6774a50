/// What a verification found.
package struct AuditReport: Sendable, Equatable {
    /// The first place where the chain does not hold.
    package struct Break: Sendable, Equatable, CustomStringConvertible {
        package let file: String
        /// From 1.
        package let line: Int
        package let problem: String

        package var description: String { "\(file):\(line): \(problem)" }
    }

    /// What the first record's link was checked against.
    package enum Anchor: Sendable, Equatable {
        /// 64 zeros: the trail is there from its first record.
        case genesis
        /// The last record of the file before, which is in the same directory.
        case file(String)
        /// A `seq` and `chain` that the caller had kept.
        case given
        /// Nothing: the files before are gone. The first record itself is unchecked, all others are not.
        case missing
    }

    /// Files read, the one with the break included.
    package internal(set) var files = 0
    /// Records whose place in the chain was checked.
    package internal(set) var records: UInt64 = 0
    /// `seq` of the first record; 0 when there is none.
    package internal(set) var firstSequence: UInt64 = 0
    /// `seq` of the last good record.
    package internal(set) var lastSequence: UInt64 = 0
    /// `chain` of the last good record. Kept elsewhere with `lastSequence`, it also proves that the tail is whole.
    package internal(set) var lastChain = ""
    package internal(set) var anchor = Anchor.missing
    /// Records that the trail itself says were lost for want of room.
    package internal(set) var lostRecords: UInt64 = 0
    /// Requests that the trail itself says were refused for want of room, without a record of their own.
    package internal(set) var refusedRequests: UInt64 = 0
    /// Times the trail was continued after a crash in the middle of a record.
    package internal(set) var recoveries = 0
    /// Bytes of an unfinished line at the very end: a crash, or a gateway that is writing right now.
    package internal(set) var tornTailBytes = 0
    package internal(set) var firstBreak: Break?

    /// Whether every record that was read is in its place and unchanged.
    package var isIntact: Bool { firstBreak == nil }
}
