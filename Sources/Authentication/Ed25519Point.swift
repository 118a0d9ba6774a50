/// Encodings of Ed25519 public keys that no honest signer has.
enum Ed25519Point {
    /// Whether the y coordinate of a 32-byte encoding is below p = 2^255 - 19 (RFC 8032 §5.1.3).
    static func isCanonical(_ point: [UInt8]) -> Bool {
        guard point.count == 32 else { return false }
        if point[31] & 0x7f != 0x7f || point[1..<31].contains(where: { $0 != 0xff }) { return true }
        return point[0] < 0xed
    }

    /// Whether the point is one of the eight of small order, in any of their encodings, the sign bit ignored.
    ///
    /// With such a key the all-zero scalar and a fixed point verify over every message (RFC 8032 §8.9).
    static func isSmallOrder(_ point: [UInt8]) -> Bool {
        guard point.count == 32 else { return false }
        var masked = point
        masked[31] &= 0x7f
        return smallOrder.contains(masked)
    }

    /// y coordinates, little-endian: 0 (order 4), 1 (order 1), the two of order 8, p-1 (order 2), and p and p+1, the
    /// non-canonical forms of 0 and 1.
    private static let smallOrder: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
        [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [0xed] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [0xee] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
    ]
}
