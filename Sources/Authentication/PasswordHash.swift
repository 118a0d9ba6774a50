import Crypto
import CryptoExtras
import FoundationEssentials

/// A scrypt password hash in PHC notation: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>` (RFC 7914).
///
/// Salt and hash are base64 without padding. Verifying costs what `ln`, `r` and `p` say (the default about 32 MiB and
/// some 60 ms), so it belongs on a thread of its own and never on an event loop.
package struct PasswordHash: Sendable {
    private let costLog2: Int
    private let blockSize: Int
    private let parallelism: Int
    private let salt: [UInt8]
    private let hash: [UInt8]

    /// The most memory one verification may take, in bytes: 256 MiB.
    package static let maximumMemory = 268_435_456

    private init(costLog2: Int, blockSize: Int, parallelism: Int, salt: [UInt8], hash: [UInt8]) {
        self.costLog2 = costLog2
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.salt = salt
        self.hash = hash
    }

    /// Reads the PHC notation. Bounds: `ln` 10...20, `r` 1...32, `p` 1...16, salt 8...64 bytes, hash 16...64 bytes.
    package init(_ text: String) throws(PasswordHashError) {
        let parts = Array(text.utf8).split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1].elementsEqual("scrypt".utf8) else {
            throw PasswordHashError("a hash like $scrypt$ln=15,r=8,p=1$<salt>$<hash> is wanted")
        }
        let settings = parts[2].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard settings.count == 3 else { throw PasswordHashError("the settings must be ln, r and p, in this order") }
        costLog2 = try Self.number(settings[0], "ln=", 10...20)
        blockSize = try Self.number(settings[1], "r=", 1...32)
        parallelism = try Self.number(settings[2], "p=", 1...16)
        guard let salt = Base64.decodeUnpadded(parts[3]), (8...64).contains(salt.count) else {
            throw PasswordHashError("the salt must be 8 to 64 bytes in base64 without padding")
        }
        guard let hash = Base64.decodeUnpadded(parts[4]), (16...64).contains(hash.count) else {
            throw PasswordHashError("the hash must be 16 to 64 bytes in base64 without padding")
        }
        self.salt = salt
        self.hash = hash
        try requireAffordable()
    }

    /// Hashes a password with a salt of 8...64 random bytes. The password must not be empty or hold NUL.
    package static func create(
        password: [UInt8], salt: [UInt8], costLog2: Int = 15, blockSize: Int = 8, parallelism: Int = 1
    ) throws(PasswordHashError) -> PasswordHash {
        guard !password.isEmpty, !password.contains(0) else {
            throw PasswordHashError("the secret must not be empty and must not hold NUL")
        }
        guard (8...64).contains(salt.count) else { throw PasswordHashError("the salt must be 8 to 64 bytes") }
        guard (10...20).contains(costLog2), (1...32).contains(blockSize), (1...16).contains(parallelism) else {
            throw PasswordHashError("ln must be 10 to 20, r 1 to 32 and p 1 to 16")
        }
        let settings = PasswordHash(
            costLog2: costLog2, blockSize: blockSize, parallelism: parallelism, salt: salt,
            hash: [UInt8](repeating: 0, count: 32))
        try settings.requireAffordable()
        guard let key = settings.derive(from: password) else {
            throw PasswordHashError("scrypt failed; is there enough memory?")
        }
        // The library lends the key's bytes for the length of the call only.
        let hash = unsafe key.withUnsafeBytes { unsafe Array($0) }
        return PasswordHash(
            costLog2: costLog2, blockSize: blockSize, parallelism: parallelism, salt: salt, hash: hash)
    }

    /// Hashes a password with a fresh 16-byte salt and the default cost.
    package static func create(
        password: [UInt8], random: inout some RandomNumberGenerator
    ) throws(PasswordHashError) -> PasswordHash {
        let salt = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        return try create(password: password, salt: salt)
    }

    /// The PHC notation.
    package var text: String {
        let salt = String(decoding: Base64.encodeUnpadded(salt), as: UTF8.self)
        let hash = String(decoding: Base64.encodeUnpadded(hash), as: UTF8.self)
        return "$scrypt$ln=\(costLog2),r=\(blockSize),p=\(parallelism)$\(salt)$\(hash)"
    }

    /// Whether the password is the one that was hashed; compared in constant time. Slow on purpose.
    package func verify(_ password: [UInt8]) -> Bool {
        guard let key = derive(from: password) else { return false }
        // SymmetricKey compares in constant time.
        return key == SymmetricKey(data: hash)
    }

    private func derive(from password: [UInt8]) -> SymmetricKey? {
        // The library unwraps the base address of an empty buffer, which need not exist. NUL at the end would make no
        // difference to HMAC, on which scrypt stands: "a" and "a\0" would be the same password.
        guard !password.isEmpty, !password.contains(0) else { return nil }
        return try? KDF.Scrypt.deriveKey(
            from: password, salt: salt, outputByteCount: hash.count, rounds: 1 << costLog2, blockSize: blockSize,
            parallelism: parallelism)
    }

    private func requireAffordable() throws(PasswordHashError) {
        let memory = 128 * blockSize * parallelism * (1 << costLog2)
        guard memory <= Self.maximumMemory else {
            throw PasswordHashError("ln, r and p ask for \(memory >> 20) MiB; at most 256 MiB are allowed")
        }
    }

    private static func number(
        _ text: ArraySlice<UInt8>, _ name: String, _ range: ClosedRange<Int>
    ) throws(PasswordHashError) -> Int {
        let digits = text.dropFirst(name.utf8.count)
        guard text.starts(with: name.utf8), (1...3).contains(digits.count),
            digits.allSatisfy({ (0x30...0x39).contains($0) }), digits.first != 0x30
        else { throw PasswordHashError("\(name) must be followed by a number") }
        let value = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard range.contains(value) else {
            throw PasswordHashError(
                "\(name)\(value) is out of bounds; \(range.lowerBound) to \(range.upperBound) is allowed")
        }
        return value
    }
}

/// Why a text is no password hash this gateway takes, or why none could be made.
package struct PasswordHashError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and the way out.
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
