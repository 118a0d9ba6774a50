import Audit
import Control
import Dispatch
import Logging
import Proxy

/// What the gateway says of its audit trail.
extension RunningGateway {
    /// The writer of the trail; what befalls it is logged.
    static func writer(_ settings: AuditSettings, loops: Int, log: Logger) throws(AuditError) -> AuditWriter {
        try AuditWriter(settings, loops: loops, tell: { tell($0, settings.onFull, log) })
    }

    private static func tell(_ news: AuditNews, _ onFull: AuditSettings.OnFull, _ log: Logger) {
        switch news {
        case .failing(let error):
            let effect =
                switch onFull {
                case .countLosses: "what finds no room there is lost and counted"
                case .stopAdmission: "when they fill it, requests are refused and /health/ready turns 503"
                }
            log.error(
                "The audit log cannot be written: records wait in memory (audit.ringBytes), and \(effect). Make room on its disk or mend what the error names; writing goes on by itself then.",
                metadata: ["error": "\(error)"])
        case .recovered(let lost):
            log.info("The audit log is written again.", metadata: ["lost": "\(lost)"])
        }
    }

    /// Stops the writer: how many records could not be written. Not on a thread of the tasks: it waits for the disk, and a
    /// second signal has to be seen meanwhile.
    static func stop(_ audit: AuditWriter) async -> UInt64 {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: audit.stop()) }
        }
    }

    /// Whether new requests are welcome, and if not, why.
    static func readiness(_ server: GatewayServer, _ audit: AuditWriter?) -> Readiness {
        guard server.isReady else { return .draining }
        return audit?.isRefusing == true ? .auditUnavailable : .ready
    }
}
