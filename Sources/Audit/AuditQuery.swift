package import Identity

/// Which records of an audit trail to show. All given conditions must hold.
package struct AuditQuery: Sendable {
    package var solution: String?
    package var decision: String?
    /// Unix nanoseconds: records of this instant or later.
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
        /// Lines that are no audit records.
        package internal(set) var unreadable: UInt64 = 0
    }

    /// Hands every matching line, without its line feed, to `emit` in the order they were written.
    ///
    /// `path` is a directory or one file; constant memory. `emit` returns false to stop.
    @discardableResult
    package func run(path: String, _ emit: (Span<UInt8>) -> Bool) throws(AuditError) -> Summary {
        throw .noFiles(path: path)
    }
}
