import Glibc
import Testing

@testable import Audit

@Suite struct AuditErrorTests {
    @Test(arguments: [
        (AuditError.system(operation: "open", path: "/a", code: ENOENT), "audit: open /a: No such file or directory"),
        (.system(operation: "pipe", path: "", code: EMFILE), "audit: pipe: Too many open files"),
        (
            .directoryInUse(path: "var/audit"),
            "audit: var/audit is in use by another gateway; give each gateway an audit directory of its own"
        ),
        (.noFiles(path: "x"), "audit: no audit-YYYYMMDD-NNNN.jsonl files in x"),
    ])
    func sentences(error: AuditError, sentence: String) {
        #expect(error.description == sentence)
    }

    @Test func anUnreadableTailNamesItsPlace() {
        let text = AuditError.unreadableTail(path: "f", offset: 12).description
        #expect(text.contains("f, at byte 12,") && text.contains("tollgate audit verify"))
    }
}
