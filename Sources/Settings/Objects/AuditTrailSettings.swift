package import Audit

/// The record of every decision.
package struct AuditTrailSettings: Sendable {
    package var enabled = true
    /// What the writer is started with; the directory is resolved.
    package var trail = AuditSettings(directory: "var/audit")

    /// What happens when records cannot be written fast enough; `AuditSettings.OnFull` in this file's spelling.
    enum OnFull: String, Sendable, CaseIterable {
        case countLosses, stopAdmission

        var value: AuditSettings.OnFull {
            switch self {
            case .countLosses: .countLosses
            case .stopAdmission: .stopAdmission
            }
        }

        init(_ value: AuditSettings.OnFull) {
            switch value {
            case .countLosses: self = .countLosses
            case .stopAdmission: self = .stopAdmission
            }
        }
    }

    static let shape = Shape<AuditTrailSettings>(
        "Audit", "The record of every decision: one JSON object a line, each chained to the one before.",
        prototype: AuditTrailSettings(),
        [
            Field("enabled", \.enabled, .bool, "Whether decisions are recorded."),
            Field(
                "directory", \.trail.directory, .unresolvedPath, "Where the files are; made when it does not exist."),
            Field(
                "rotateBytes", \.trail.maximumFileBytes, .size64((64 << 10)...(1 << 40)),
                "A file that would grow beyond this is followed by the next; so is one of yesterday (UTC)."),
            Field(
                "onFull", \.trail.onFull,
                Kind<OnFull>.choice().map({ choice, _, _ in choice.value }, back: { OnFull($0) }),
                "When records cannot be written fast enough: count what is lost and say so in the trail, or admit"
                    + " nothing that cannot be recorded."),
            Field(
                "ringBytes", \.trail.ringBytes, .size((64 << 10)...(1 << 30)),
                "Address space per event loop for records that wait for the disk."),
            Field(
                "syncInterval", \.trail.syncInterval, .nanoseconds(.milliseconds(10)...(.seconds(3_600))),
                "At most this long passes between writing a record and making it durable."),
        ])
}

extension Kind where Value == Int64 {
    /// A number of bytes that is kept as `Int64`.
    static func size64(_ range: ClosedRange<Int>) -> Kind {
        Kind<Int>.size(range).map({ bytes, _, _ in Int64(bytes) }, back: { Int(exactly: $0) })
    }
}
