import ArgumentParser
import Authentication
import Control

import Glibc

struct HashSecretCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash-secret",
        abstract: "Hash a solution's secret for Basic authentication.",
        discussion: """
            Reads the secret from standard input (one line; nothing is echoed on a terminal) and prints its hash, which \
            goes into gateway.json as "secretHash". The secret itself is stored nowhere. Choose it at random: a hash \
            protects a guessable secret only for a while.

              openssl rand -base64 32 | tee secret.txt | tollgate hash-secret
            """)

    static let maximumBytes = 1024

    func run() throws {
        let secret = try Self.readSecret()
        var random = SystemRandomNumberGenerator()
        Console.out(try PasswordHash.create(password: secret, random: &random).text)
    }

    private static func readSecret() throws -> [UInt8] {
        let isTerminal = isatty(STDIN_FILENO) == 1
        var before = termios()
        if isTerminal {
            write(Array("Secret: ".utf8), to: STDERR_FILENO)
            // The terminal's settings are copied into and out of the two values that the pointers name.
            unsafe tcgetattr(STDIN_FILENO, &before)
            var silent = before
            silent.c_lflag &= ~tcflag_t(ECHO)
            unsafe tcsetattr(STDIN_FILENO, TCSANOW, &silent)
        }
        defer {
            if isTerminal {
                unsafe tcsetattr(STDIN_FILENO, TCSANOW, &before)
                Console.error("")
            }
        }
        guard let line = readLine(strippingNewline: true), !line.isEmpty else {
            throw ValidationError("Standard input holds no secret. Pipe one line into this command.")
        }
        guard line.utf8.count <= maximumBytes else {
            throw ValidationError("The secret is longer than \(maximumBytes) bytes.")
        }
        return Array(line.utf8)
    }
}
