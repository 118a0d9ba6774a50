import Authentication
import TestKit
import Testing

@Suite struct PasswordHashTests {
    /// The least cost there is.
    private let cheap = (ln: 10, salt: Array("0123456789abcdef".utf8))

    private func make(_ password: String) throws -> PasswordHash {
        try PasswordHash.create(password: Array(password.utf8), salt: cheap.salt, costLog2: cheap.ln)
    }

    @Test func theRightPasswordVerifiesAndNoOther() throws {
        let hash = try make("correct horse")
        #expect(hash.verify(Array("correct horse".utf8)))
        for wrong in ["", "correct hors", "correct horse ", "Correct horse", "correct horse\0"] {
            #expect(!hash.verify(Array(wrong.utf8)), "\(wrong)")
        }
    }

    @Test func theTextIsPHCAndReadsBack() throws {
        let hash = try make("secret")
        #expect(hash.text.hasPrefix("$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"))
        let again = try PasswordHash(hash.text)
        #expect(again.text == hash.text)
        #expect(again.verify(Array("secret".utf8)))
        #expect(!again.verify(Array("other".utf8)))
    }

    /// Made with Python's hashlib.scrypt (OpenSSL): n = 4096, r = 4, p = 2.
    @Test func aHashMadeElsewhereVerifies() throws {
        let hash = try PasswordHash(
            "$scrypt$ln=12,r=4,p=2$U29kaXVtQ2hsb3JpZGUhIQ$ujiDG9niTTxyDjd5NJVH+K05NXf4WEnVhYYTF8dafEk")
        #expect(hash.verify(Array("pleaseletmein".utf8)))
        #expect(!hash.verify(Array("pleaseletmeout".utf8)))
    }

    @Test func saltsAreFresh() throws {
        var random = SeededGenerator(seed: 1)
        let first = try PasswordHash.create(password: Array("x".utf8), random: &random)
        let second = try PasswordHash.create(password: Array("x".utf8), random: &random)
        #expect(first.text != second.text)
        #expect(first.text.hasPrefix("$scrypt$ln=15,r=8,p=1$"))
        #expect(first.verify(Array("x".utf8)))
    }

    private static let salt = "MDEyMzQ1Njc4OWFiY2RlZg"
    private static let digest = "MDEyMzQ1Njc4OWFiY2RlZg"

    @Test(arguments: [
        "", "$", "scrypt$ln=10,r=8,p=1$\(salt)$\(digest)", "$argon2id$ln=10,r=8,p=1$\(salt)$\(digest)",
        "$scrypt$ln=9,r=8,p=1$\(salt)$\(digest)", "$scrypt$ln=21,r=8,p=1$\(salt)$\(digest)",
        "$scrypt$ln=10,r=0,p=1$\(salt)$\(digest)", "$scrypt$ln=10,r=33,p=1$\(salt)$\(digest)",
        "$scrypt$ln=10,r=8,p=17$\(salt)$\(digest)", "$scrypt$ln=20,r=8,p=1$\(salt)$\(digest)",
        "$scrypt$ln=10,r=8$\(salt)$\(digest)", "$scrypt$r=8,ln=10,p=1$\(salt)$\(digest)",
        "$scrypt$ln=010,r=8,p=1$\(salt)$\(digest)", "$scrypt$ln=99999999999999999999,r=8,p=1$\(salt)$\(digest)",
        "$scrypt$ln=-10,r=8,p=1$\(salt)$\(digest)", "$scrypt$ln=10,r=8,p=1$\(salt)==$\(digest)",
        "$scrypt$ln=10,r=8,p=1$AAAA$\(digest)", "$scrypt$ln=10,r=8,p=1$\(salt)$AAAA",
        "$scrypt$ln=10,r=8,p=1$\(salt)$\(digest)$", "$scrypt$ln=10,r=8,p=1$\(salt)$",
        "$scrypt$ln=10,r=8,p=1$$\(digest)",
    ])
    func malformedOrUnaffordableHashesAreRefused(_ text: String) {
        #expect(throws: PasswordHashError.self) { try PasswordHash(text) }
    }

    @Test func creatingHasBoundsToo() {
        let salt = cheap.salt
        #expect(throws: PasswordHashError.self) { try PasswordHash.create(password: [], salt: salt) }
        #expect(throws: PasswordHashError.self) { try PasswordHash.create(password: [1, 0], salt: salt) }
        #expect(throws: PasswordHashError.self) { try PasswordHash.create(password: [1], salt: [1, 2]) }
        #expect(throws: PasswordHashError.self) { try PasswordHash.create(password: [1], salt: salt, costLog2: 9) }
        #expect(throws: PasswordHashError.self) { try PasswordHash.create(password: [1], salt: salt, costLog2: 19) }
    }
}
