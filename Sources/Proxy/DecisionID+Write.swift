import Identity
import Wire

extension ByteWriter {
    /// Appends the id's bytes.
    mutating func append(_ decision: DecisionID) {
        // Unsafe: bytes have no padding, and the span ends with this statement.
        decision.withSpan { span in unsafe append(span.bytes) }
    }
}
