import Gate
import NIOCore
import Upstream
import Wire

/// A copy of a request on its way to another upstream: its answer is read and thrown away, and nobody waits for it.
///
/// The worker holds it from `start` to its end, and ends it when it takes too long.
final class MirroredRequest: UpstreamConsumer {
    private let worker: Worker
    private let pool: Pool
    private let head: UpstreamHead
    private let isHEAD: Bool
    private var answer = AnswerSkimmer()
    private var connection: UpstreamConnection?
    private var isWaiting = true
    private var receivedBytes = 0

    /// What is read of an answer that nobody wants: reading on keeps the connection, and would cost the loop more than that.
    private static let maximumAnswer = 1 << 20

    /// Monotonic nanoseconds.
    let deadline: Int64

    init(worker: Worker, pool: Pool, head: consuming UpstreamHead, isHEAD: Bool, now: Int64) {
        self.worker = worker
        self.pool = pool
        self.head = head
        self.isHEAD = isHEAD
        self.deadline = now + pool.settings.connectTimeout + pool.settings.responseTimeout
    }

    func start(key: UInt64, now: Int64) {
        worker.began(self)
        let ready = pool.acquire(for: self, key: key, timeout: pool.settings.connectTimeout, now: now)
        if let ready { upstreamReady(ready) }
    }

    func upstreamReady(_ connection: UpstreamConnection) {
        isWaiting = false
        self.connection = connection
        connection.send(head.bytes(for: pool.settings.endpoints[connection.endpoint], isMirrored: true))
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        isWaiting = false
        worker.ended(self)
    }

    func upstreamReceived(_ bytes: inout ByteBuffer) {
        receivedBytes += bytes.readableBytes
        switch answer.received(bytes, isAnswerToHEAD: isHEAD) {
        case .more: if receivedBytes > Self.maximumAnswer { finish(false, .unknown) }
        case .done(let status, let isReusable): finish(isReusable, status < 500 ? .answered : .failed)
        case .malformed: finish(false, .failed)
        }
    }

    func upstreamClosed(inOrder: Bool) -> RequestOutcome {
        let isFirstUse = connection?.isFirstUse ?? true
        connection = nil
        worker.ended(self)
        if inOrder, case .done(let status, _) = answer.ended() { return status < 500 ? .answered : .failed }
        return isFirstUse ? .failed : .unknown
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) {}

    /// It took too long, or the worker stops.
    func abandon(now: Int64) {
        if isWaiting {
            isWaiting = false
            pool.cancel(self, now: now)
        }
        finish(false, .failed)
    }

    private func finish(_ isReusable: Bool, _ outcome: RequestOutcome) {
        worker.ended(self)
        let connection = self.connection
        self.connection = nil
        connection?.release(reusable: isReusable, outcome: outcome, now: worker.now().monotonic)
    }
}
