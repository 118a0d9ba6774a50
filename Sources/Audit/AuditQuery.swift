package import Identity
import StrictJSON

/// Which records of an audit trail to show. All given conditions must hold.
///
/// The trail's own events (`lost`, `refused`, `recovered`, `unsynced`) have no solution, decision, status or outcome: they match
/// only a query that asks for none of these.
package struct AuditQuery: Sendable {
    package var solution: String?
    package var decision: String?
    /// Unix nanoseconds: records of this millisecond or later.
    package var since: Int64?
    package var status: Int?
    package var outcome: Outcome?

    package init(
        solution: String? = nil, decision: String? = nil, since: Int64? = nil, status: Int? = nil,
        outcome: Outcome? = nil
    ) {
        self.solution = solution
        self.decision = decision
        self.since = since
        self.status = status
        self.outcome = outcome
    }

    /// What a query went through.
    package struct Summary: Sendable, Equatable {
        package internal(set) var matched: UInt64 = 0
        /// Lines that are no audit records, an unfinished last one included.
        package internal(set) var unreadable: UInt64 = 0
    }

    private static let limits = JSON.Limits(
        maximumBytes: TailScanner.maximumLine, maximumDepth: 4, maximumValues: 64)
    private static let start = Array("{\"time\":\"".utf8)

    /// Hands every matching line, without its line feed, to `emit` in the order they were written.
    ///
    /// `path` is a directory or one file; constant memory. `emit` returns false to stop. Does not check the chain.
    @discardableResult
    package func run(path: String, _ emit: (Span<UInt8>) -> Bool) throws(AuditError) -> Summary {
        var summary = Summary()
        let sinceText = since.map(AuditTime.render)
        for file in try AuditFiles(at: path, since: since).paths {
            let reader = try AuditLineReader(path: file)
            let isFinished = try reader.forEachLine { line, kind in
                if case .whole = kind {
                } else {
                    summary.unreadable += 1
                    return true
                }
                if let sinceText, AuditQuery.isBefore(line, sinceText) { return true }
                switch matches(line) {
                case nil: summary.unreadable += 1
                case false?: break
                case true?:
                    summary.matched += 1
                    return emit(line)
                }
                return true
            }
            guard isFinished else { break }
        }
        return summary
    }

    /// Whether the line's time, which has a fixed place and width, is earlier as text and therefore as time.
    private static func isBefore(_ line: Span<UInt8>, _ time: [UInt8]) -> Bool {
        guard SealedLine.matches(line, at: 0, start), line.count >= start.count + time.count else { return false }
        for index in time.indices where line[start.count + index] != time[index] {
            return line[start.count + index] < time[index]
        }
        return false
    }

    /// Nil when the line is no audit record.
    private func matches(_ line: Span<UInt8>) -> Bool? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.count)
        for index in line.indices { bytes.append(line[index]) }
        guard let record = try? JSON.parse(bytes, limits: AuditQuery.limits), record.member("seq") != nil else {
            return nil
        }
        if let solution, !has(record, "solution", solution) { return false }
        if let decision, !has(record, "decision", decision) { return false }
        if let outcome, !has(record, "outcome", "\(outcome.label)") { return false }
        if let status, record.member("status")?.number?.integer != Int64(status) { return false }
        return true
    }

    private func has(_ record: JSON, _ member: String, _ text: String) -> Bool {
        record.member(member)?.string.map { $0.utf8.elementsEqual(text.utf8) } ?? false
    }
}
