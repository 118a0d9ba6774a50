import Glibc

/// Checks that nobody edited, removed, inserted or moved a record of an audit trail.
///
/// See `AuditChain` for what is hashed and for what no chain can show: cut-off newest records, and a trail written anew
/// from some point by somebody who may write to the files. Both come to light when `lastSequence` and `lastChain` of an
/// earlier report are kept elsewhere.
package enum AuditVerifier {
    /// A point of a trail that the caller trusts.
    package struct Anchor: Sendable, Equatable {
        package var sequence: UInt64
        /// 64 lower-case hexadecimal digits.
        package var chain: String

        package init(sequence: UInt64, chain: String) {
            self.sequence = sequence
            self.chain = chain
        }
    }

    /// Reads a directory of audit files, or one file, in constant memory, up to the first break.
    ///
    /// A trail must begin at `seq` 1, right after `anchor`, or (a single file) where the file before it ends; otherwise
    /// its first record is a break, unless `allowMissingStart` accepts that older files were taken away.
    package static func verify(
        path: String, after anchor: Anchor? = nil, allowMissingStart: Bool = false
    ) throws(AuditError) -> AuditReport {
        let files = try AuditFiles(at: path)
        var verification = Verification(allowMissingStart: allowMissingStart)
        if let anchor {
            verification.expect(sequence: anchor.sequence, chain: Array(anchor.chain.utf8), anchor: .given)
        } else if !files.isDirectory, let before = AuditFiles.predecessor(of: path) {
            let descriptor = try AuditDescriptor(path: before, flags: O_RDONLY)
            if case .record(let last, _) = try descriptor.scanTail(path: before) {
                verification.expect(sequence: last.sequence, chain: last.chain, anchor: .file(before))
            }
        }
        for (index, file) in files.paths.enumerated() {
            let reader = try AuditLineReader(path: file)
            verification.begin(file, isLast: index == files.paths.count - 1)
            guard try reader.forEachLine({ line, kind in verification.check(line, kind) }) else { break }
        }
        return verification.report
    }
}

/// The state of a verification: a value fed with lines.
private struct Verification {
    private(set) var report = AuditReport()
    private let allowMissingStart: Bool
    private var file = ""
    private var isLastFile = false
    private var line = 0
    private var sequence: UInt64 = 0
    private var chain: [UInt8]?

    init(allowMissingStart: Bool) {
        self.allowMissingStart = allowMissingStart
    }

    mutating func expect(sequence: UInt64, chain: [UInt8], anchor: AuditReport.Anchor) {
        self.sequence = sequence
        self.chain = chain
        report.anchor = anchor
    }

    mutating func begin(_ file: String, isLast: Bool) {
        self.file = file
        isLastFile = isLast
        line = 0
        report.files += 1
    }

    /// Checks one line; false when the trail is broken there.
    mutating func check(_ bytes: Span<UInt8>, _ kind: AuditLineReader.Kind) -> Bool {
        line += 1
        switch kind {
        case .whole: return check(bytes)
        case .tooLong: return fail("the line is longer than any audit record")
        case .torn:
            guard isLastFile else { return fail("the last line of the file is not finished, and other files follow") }
            report.tornTailBytes = bytes.count
            return true
        }
    }

    private mutating func check(_ bytes: Span<UInt8>) -> Bool {
        guard let seal = SealedLine(bytes) else { return fail("the line is no sealed audit record") }
        if chain == nil, !start(seal) { return false }
        if let chain {
            let (expected, overflow) = sequence.addingReportingOverflow(1)
            guard !overflow, seal.sequence == expected else {
                return fail(
                    "seq is \(seal.sequence) where \(expected) belongs: a record was removed, inserted or moved")
            }
            guard AuditChain.hash(previous: chain, body: bytes.extracting(first: seal.bodyLength)) == seal.chain else {
                return fail("chain does not match: this record was changed, or one between it and the one before")
            }
        }
        if report.records == 0 { report.firstSequence = seal.sequence }
        sequence = seal.sequence
        chain = seal.chain
        report.records += 1
        report.lastSequence = seal.sequence
        report.lastChain = String(decoding: seal.chain, as: UTF8.self)
        count(bytes)
        return true
    }

    /// Chooses what the first record is checked against when nothing was given.
    private mutating func start(_ seal: SealedLine) -> Bool {
        if seal.sequence == 1 {
            expect(sequence: 0, chain: AuditChain().hash, anchor: .genesis)
            return true
        }
        guard !allowMissingStart else { return true }
        return fail(
            "the trail begins with seq \(seal.sequence), the records before it are missing; if they were archived, "
                + "give the last seq and chain before it, or allow a missing start")
    }

    private mutating func count(_ bytes: Span<UInt8>) {
        guard let event = AuditEvent(bytes) else { return }
        switch event {
        case .lost(let records): report.lostRecords &+= records
        case .refused(let requests): report.refusedRequests &+= requests
        case .recovered: report.recoveries += 1
        case .other: break
        }
    }

    private mutating func fail(_ problem: String) -> Bool {
        report.firstBreak = AuditReport.Break(file: file, line: line, problem: problem)
        return false
    }
}

/// A record that the trail writes about itself.
enum AuditEvent: Equatable {
    case lost(UInt64)
    case refused(UInt64)
    case recovered
    case other

    private static let start = Array("{\"time\":\"".utf8)
    private static let mark = Array("\",\"event\":\"".utf8)
    private static let lostText = Array("lost\",\"count\":".utf8)
    private static let refusedText = Array("refused\",\"count\":".utf8)
    private static let recoveredText = Array("recovered\"".utf8)

    /// Recognised by its second member, which no request can shape: the first one has a fixed width.
    init?(_ line: Span<UInt8>) {
        let position = AuditEvent.start.count + AuditTime.width
        guard SealedLine.matches(line, at: 0, AuditEvent.start), SealedLine.matches(line, at: position, AuditEvent.mark)
        else { return nil }
        let name = position + AuditEvent.mark.count
        if SealedLine.matches(line, at: name, AuditEvent.recoveredText) {
            self = .recovered
        } else if SealedLine.matches(line, at: name, AuditEvent.lostText) {
            self = .lost(AuditEvent.count(in: line, at: name + AuditEvent.lostText.count))
        } else if SealedLine.matches(line, at: name, AuditEvent.refusedText) {
            self = .refused(AuditEvent.count(in: line, at: name + AuditEvent.refusedText.count))
        } else {
            self = .other
        }
    }

    private static func count(in line: Span<UInt8>, at start: Int) -> UInt64 {
        var count: UInt64 = 0
        var index = start
        while index < line.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(line[index]) {
            count = count &* 10 &+ UInt64(line[index] - UInt8(ascii: "0"))
            index += 1
        }
        return count
    }
}
