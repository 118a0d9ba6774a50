import Identity
import NIOCore
import Wire

/// The trace a request belongs to (W3C Trace Context): passed on when the client's is well-formed, else begun here.
enum Traceparent {
    /// Whether the client sent exactly one field of the form `00-<32 hex>-<16 hex>-<2 hex>` with ids that are not 0.
    static func isValid(_ head: borrowing RequestHead, in buffer: ByteBuffer) -> Bool {
        guard let index = head.traceparent, index < head.fields.count else { return false }
        var fields = 0
        for field in head.fields where field.kind == .traceparent { fields += 1 }
        let value = buffer.readableBytesUInt8Span.extracting(head.fields[index].value.range)
        guard fields == 1, value.count >= 55 else { return false }
        // A later version may be longer, its additions behind another dash (§3.2.2).
        let isVersion0 = value[0] == UInt8(ascii: "0") && value[1] == UInt8(ascii: "0")
        let isInvalidVersion = value[0] == UInt8(ascii: "f") && value[1] == UInt8(ascii: "f")
        guard !isInvalidVersion, value.count == 55 || (!isVersion0 && value[55] == UInt8(ascii: "-")) else {
            return false
        }
        for dash in [2, 35, 52] where value[dash] != UInt8(ascii: "-") { return false }
        return isHex(value, 0..<2) && isID(value, 3..<35) && isID(value, 36..<52) && isHex(value, 53..<55)
    }

    /// Ends the present line and begins `traceparent`, whose trace id is the decision's where that has the form of one.
    static func append(_ decision: DecisionID, spanID: UInt64, to out: inout ByteWriter) {
        out.append("\r\ntraceparent: 00-")
        if decision.isTraceID {
            out.append(decision)
        } else {
            out.append(hexadecimal: spanID &* 0x9e37_79b9_7f4a_7c15 | 1)
            out.append(hexadecimal: spanID)
        }
        out.append("-")
        out.append(hexadecimal: spanID | 1)
        out.append("-00")
    }

    private static func isID(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard isHex(bytes, range) else { return false }
        for index in range where bytes[index] != UInt8(ascii: "0") { return true }
        return false
    }

    private static func isHex(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): continue
            case _: return false
            }
        }
        return true
    }
}
