import Glibc
import Identity
import StrictJSON
import struct NIOConcurrencyHelpers.NIOLockedValueBox
import Synchronization
import TestKit
import Testing

@testable import Audit

/// Clocks that stand still until told otherwise.
final class TestClock: Sendable {
    let unix: Atomic<Int64>
    let monotonic = Atomic<Int64>(5_000_000_000)

    init(_ text: String = "2026-11-21T00:43:12.123Z") {
        unix = Atomic(AuditTime.parse(text) ?? 0)
    }

    var clock: AuditClock {
        AuditClock(
            unix: { self.unix.load(ordering: .relaxed) }, monotonic: { self.monotonic.load(ordering: .relaxed) })
    }

    func advance(seconds: Int64) {
        unix.add(seconds * AuditTime.second, ordering: .relaxed)
        monotonic.add(seconds * AuditTime.second, ordering: .relaxed)
    }
}

/// A real disk with a failure in front of it.
final class FaultyDisk: Sendable {
    struct State {
        /// Bytes that still fit; nil for a disk without end.
        var space: Int?
        /// Most bytes one write takes.
        var gulp = Int.max
        var writeError: Int32 = 0
        var syncError: Int32 = 0
        /// EINTR this many times before each write.
        var interruptions = 0
        var syncs = 0
    }

    let state = NIOLockedValueBox(State())

    var calls: AuditFileCalls {
        AuditFileCalls(
            write: { descriptor, bytes, offset in
                let allowed = self.state.withLockedValue { state -> Int in
                    if state.writeError != 0 { return -Int(state.writeError) }
                    if state.interruptions > 0 {
                        state.interruptions -= 1
                        return -Int(EINTR)
                    }
                    let count = min(bytes.byteCount, state.gulp, state.space ?? Int.max)
                    guard count > 0 else { return -Int(ENOSPC) }
                    state.space? -= count
                    return count
                }
                guard allowed > 0 else { return allowed }
                return AuditFileCalls.system.write(descriptor, bytes.extracting(first: allowed), offset)
            },
            sync: { descriptor in
                let error = self.state.withLockedValue { state in
                    state.syncs += 1
                    return state.syncError
                }
                return error == 0 ? AuditFileCalls.system.sync(descriptor) : -Int(error)
            })
    }
}

/// Runs a test in a directory of its own.
func withDirectory(_ body: (String) throws -> Void) throws {
    let path = try TemporaryDirectory.make()
    defer { TemporaryDirectory.remove(path) }
    try body(path + "/audit")
}

func bytes(of path: String) throws -> [UInt8] { try TemporaryDirectory.read(path) }

func write(_ bytes: [UInt8], to path: String) throws { try TemporaryDirectory.write(bytes, to: path) }

/// Names of the audit files in a directory, in order.
func fileNames(_ directory: String) throws -> [String] {
    try AuditDirectory(path: directory).list().map(\.text)
}

/// All lines of all files, without their line feeds.
func lines(_ directory: String) throws -> [[UInt8]] {
    try fileNames(directory).flatMap { name in
        try bytes(of: "\(directory)/\(name)").split(separator: UInt8(ascii: "\n")).map(Array.init)
    }
}

func parse(_ line: [UInt8]) throws -> JSON {
    try JSON.parse(line, limits: JSON.Limits(maximumBytes: 1 << 20, maximumDepth: 8, maximumValues: 1_000))
}

let principal = IdentityFragment.render(
    Principal(
        subjects: ["bosch:kai@lamps", "second"], solution: "acme-lamps", tenant: "t1", client: "lamp-app",
        issuer: "https://issuer.example/", credential: .jwt))

extension AuditRing {
    /// A complete record, of which the tests vary some fields.
    @discardableResult
    func appendSample(
        _ number: UInt64 = 1, time: Int64 = AuditTime.parse("2026-11-21T00:43:12.123Z") ?? 0,
        path: [UInt8] = Array("/api/2/things/x".utf8), method: [UInt8] = Array("GET".utf8), status: Int = 200,
        outcome: Outcome = .admitted, reason: StaticString = "", identity: IdentityFragment = principal,
        entry: AuditText = .none, upstream: AuditText = AuditText("127.0.0.1:9000")
    ) -> Bool {
        append(
            unixNanoseconds: time, decision: DecisionID(high: 7, low: number), route: AuditText("things"),
            method: method.span, path: path.span, status: status, outcome: outcome, reason: reason,
            identity: identity, policyEntry: entry, peer: AuditText("192.0.2.7:51234"),
            upstream: UpstreamFragment(endpoint: upstream, pool: .none),
            bytesIn: 120, bytesOut: 4_096, durationMicros: 830)
    }

    /// Everything in the ring, as JSON documents.
    func takeAll() -> [[UInt8]] {
        var records: [[UInt8]] = []
        consume { line in
            records.append(line.indices.map { line[$0] } + [UInt8(ascii: "}")])
            return true
        }
        return records
    }
}

/// Steps a pump until it has nothing more to do.
func drain(_ pump: AuditPump) {
    while true {
        switch pump.step() {
        case .behind, .caughtUp: continue
        case .idle, .stuck: return
        }
    }
}

func readSeal(_ line: [UInt8]) -> SealedLine? { SealedLine(line.span) }
