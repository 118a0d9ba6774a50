import Foundation

/// Certificates made by the `openssl` command, in a directory of their own.
package final class Certificates: Sendable {
    /// What went wrong when openssl was called.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// A certificate and its key, by their files.
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String
        /// The files go with it.
        fileprivate var owner: Certificates?

        /// The bytes of the certificate, its chain included.
        package var chain: [UInt8] { (try? TemporaryDirectory.read(certificate)) ?? [] }
        package var keyBytes: [UInt8] { (try? TemporaryDirectory.read(key)) ?? [] }

        /// SHA-256 of the DER, in base64url (RFC 8705 §3.1).
        package func thumbprint() throws -> String {
            let der = try Certificates.openssl(["x509", "-in", certificate, "-outform", "DER"])
            let digest = try Certificates.openssl(["dgst", "-sha256", "-binary"], input: der)
            return Data(digest).base64EncodedString()
                .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }
    }

    private let directory: String
    /// The authority that signs everything made here.
    package let authority: Pair

    /// Makes an authority.
    package init(_ name: String = "Test Authority") throws {
        directory = try TemporaryDirectory.make()
        let key = directory + "/ca.key"
        authority = Pair(certificate: directory + "/ca.pem", key: key)
        try Self.makeKey(key)
        try Self.openssl([
            "req", "-x509", "-new", "-key", key, "-out", authority.certificate, "-days", "30", "-subj", "/CN=\(name)",
        ])
    }

    deinit {
        TemporaryDirectory.remove(directory)
    }

    /// Makes a certificate: `subject` as in `/CN=a/O=b`, `names` as in `DNS:a.test,IP:127.0.0.1`; 0 days make
    /// one that has expired. The key is one of P-256, or of RSA.
    package func make(
        _ file: String, subject: String = "/CN=test", names: String? = nil, days: Int = 30, isRSA: Bool = false
    ) throws -> Pair {
        let pair = Pair(certificate: "\(directory)/\(file).pem", key: "\(directory)/\(file).key", owner: self)
        try Self.makeKey(pair.key, isRSA: isRSA)
        let request = "\(directory)/\(file).csr"
        try Self.openssl(["req", "-new", "-key", pair.key, "-out", request, "-subj", subject])
        let extensions = "\(directory)/\(file).ext"
        try TemporaryDirectory.write(Array((names.map { "subjectAltName=\($0)\n" } ?? "\n").utf8), to: extensions)
        let arguments = [
            "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", authority.key, "-CAcreateserial",
            "-out", pair.certificate, "-extfile", extensions, "-days", "\(days)",
        ]
        try Self.openssl(arguments)
        return pair
    }

    private static func makeKey(_ path: String, isRSA: Bool = false) throws {
        if isRSA {
            _ = try openssl(["genrsa", "-out", path, "2048"])
            return
        }
        try openssl(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
    }

    /// Runs the command to its end and gives what it wrote; throws what it complained of.
    @discardableResult
    package static func openssl(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let (output, errors, feed) = (Pipe(), Pipe(), Pipe())
        process.standardInput = feed
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        try feed.fileHandleForWriting.write(contentsOf: Data(input))
        try feed.fileHandleForWriting.close()
        let result = output.fileHandleForReading.readDataToEndOfFile()
        let text = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                description: "openssl \(arguments.joined(separator: " ")): \(String(decoding: text, as: UTF8.self))")
        }
        return [UInt8](result)
    }
}
