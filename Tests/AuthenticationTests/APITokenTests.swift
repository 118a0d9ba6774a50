import Authentication
import TestKit
import Testing

@Suite struct APITokenTests {
    @Test func aMintedTokenHas256BitsBehindItsPrefix() throws {
        var random = SeededGenerator(seed: 3)
        let (token, digest) = APIToken.mint(random: &random)
        #expect(token.hasPrefix("tgt_"))
        #expect(token.utf8.count == 47)
        #expect(try #require(decodeBase64url(String(token.dropFirst(4)))).count == 32)
        #expect(digest == APIToken.digest(of: Array(token.utf8)))
        #expect(APIToken.mint(random: &random).token != token)
    }

    @Test func theDigestIsSHA256() {
        #expect(
            hexadecimal(APIToken.digest(of: Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func everyBitOfTheSecretIsRandom() {
        var random = SystemRandomNumberGenerator()
        var everSet = [UInt8](repeating: 0, count: 32)
        var everClear = [UInt8](repeating: 0, count: 32)
        for _ in 0..<200 {
            let secret = decodeBase64url(String(APIToken.mint(random: &random).token.dropFirst(4))) ?? []
            for (index, byte) in secret.enumerated() {
                everSet[index] |= byte
                everClear[index] |= ~byte
            }
        }
        #expect(everSet.allSatisfy { $0 == 0xff })
        #expect(everClear.allSatisfy { $0 == 0xff })
    }
}
