import Identity
import NIOCore

extension ByteBuffer {
    /// Appends the id's bytes.
    mutating func write(_ decision: DecisionID) {
        writeWithOutputRawSpan(minimumWritableBytes: decision.count) { output in
            for index in 0..<decision.count { output.append(decision[index]) }
        }
    }
}
