import Policy
import Testing

@Suite struct PermissionsTests {
    @Test func `names are Ditto's, exactly`() {
        #expect(Permissions(name: "READ") == .read)
        #expect(Permissions(name: "WRITE") == .write)
        #expect(Permissions(name: "EXECUTE") == .execute)
        for name in ["", "read", "Read", "READ ", "ADMIN"] { #expect(Permissions(name: name) == nil) }
        #expect(Permissions.all.names == ["READ", "WRITE", "EXECUTE"])
        #expect(Permissions([.execute, .read]).names == ["READ", "EXECUTE"])
        #expect(Permissions().names.isEmpty)
    }
}
