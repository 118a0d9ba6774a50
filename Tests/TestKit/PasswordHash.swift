import CryptoExtras
import FoundationEssentials

/// A Basic secret as `secretHash` holds it: scrypt in the PHC string form.
package func scryptHash(of secret: String, salt: [UInt8] = Array(0..<16)) throws -> String {
    let key = try KDF.Scrypt.deriveKey(
        from: Array(secret.utf8), salt: salt, outputByteCount: 32, rounds: 1 << 15, blockSize: 8, parallelism: 1)
    let hash = unsafe key.withUnsafeBytes { unsafe Array($0) }
    return "$scrypt$ln=15,r=8,p=1$\(unpadded(salt))$\(unpadded(hash))"
}

private func unpadded(_ bytes: [UInt8]) -> String {
    String(base64(bytes).prefix { $0 != "=" })
}
