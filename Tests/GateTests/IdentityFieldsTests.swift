import Identity
import Testing

@testable import Gate

@Suite struct IdentityFieldsTests {
    private static let principals = [
        Principal(
            subjects: ["idp:user-1"], solution: "lamps", tenant: "t1", client: "c1", issuer: "idp", credential: .jwt),
        Principal(subjects: ["a:1", "a:2", "a:3"], client: "a:1", credential: .apiToken),
        Principal(
            subjects: ["a,b", "100%", "%2C", "%25,", ",", "%"], solution: "s: t", client: "x,y%", credential: .basic),
        Principal(subjects: ["", "x"], solution: "", tenant: "", client: "", issuer: "", credential: .jwt),
        Principal(subjects: ["é", "x-tollgate-client: z"], tenant: "e\u{301}", client: "ü", credential: .certificate),
        Principal(subjects: [], client: "nobody", credential: .none),
    ]

    @Test(arguments: principals)
    func whatTheFieldsTellIsReadBack(_ principal: Principal) {
        let fields = IdentityFields(principal)
        let read = IdentityFields.principal(
            fields.bytes[...], issuer: principal.issuer, credential: principal.credential)
        #expect(read == principal)
    }

    @Test func theFieldsAndTheListInThem() {
        let fields = IdentityFields(Self.principals[0])
        #expect(
            String(decoding: fields.bytes, as: UTF8.self)
                == "x-tollgate-subject: idp:user-1\r\nx-tollgate-subjects: idp:user-1\r\n"
                + "x-tollgate-solution: lamps\r\nx-tollgate-tenant: t1\r\nx-tollgate-client: c1\r\n")
        let several = IdentityFields(Self.principals[2])
        #expect(String(decoding: several.bytes[several.list], as: UTF8.self) == "a%2Cb,100%25,%252C,%2525%2C,%2C,%25")
        #expect(IdentityFields(Self.principals[5]).list.isEmpty)
    }
}
