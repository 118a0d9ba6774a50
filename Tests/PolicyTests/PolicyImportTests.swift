import Policy
import Testing

@Suite struct PolicyImportTests {
    private let template = PolicyDocument(
        policyId: "my.ns:tpl",
        imports: [PolicyDocument.Import(policyId: "my.ns:deeper")],
        entries: [
            entry("IMPLICIT", ["s:i"], [("thing:/", .read, [])]),
            entry("EXPLICIT", ["s:e"], [("thing:/", .write, [])], importable: .explicit),
            entry("OTHER", ["s:o"], [("thing:/", .write, [])], importable: .explicit),
            entry("NEVER", ["s:n"], [("thing:/", .execute, [])], importable: .never),
        ])

    private func resolve(_ id: String) -> PolicyDocument? {
        switch id {
        case "my.ns:tpl": template
        case "my.ns:deeper":
            PolicyDocument(policyId: id, entries: [entry("deeper", ["s:d"], [("thing:/", .all, [])])])
        default: nil
        }
    }

    private func engine(_ imports: [PolicyDocument.Import]) throws -> PolicyEngine {
        try PolicyEngine(
            document: PolicyDocument(
                policyId: "my.ns:p", imports: imports, entries: [entry("own", ["s:i"], [("thing:/own", .write, [])])]),
            resolving: resolve)
    }

    @Test func `implicit entries come, explicit ones when named, never is never`() throws {
        let plain = try engine([PolicyDocument.Import(policyId: "my.ns:tpl")])
        #expect(plain.labels == ["own", "imported-my.ns:tpl-IMPLICIT"])
        let named = try engine([PolicyDocument.Import(policyId: "my.ns:tpl", entries: ["EXPLICIT", "IMPLICIT"])])
        #expect(named.labels == ["own", "imported-my.ns:tpl-IMPLICIT", "imported-my.ns:tpl-EXPLICIT"])
        #expect(named.isAllowed(["s:e"], "thing:/", .write, .unrestricted))
        #expect(!named.isAllowed(["s:o"], "thing:/", .write, .unrestricted))
        #expect(!named.isAllowed(["s:n"], "thing:/", .execute, .unrestricted))
        // Imports of an import are not followed.
        #expect(!named.isAllowed(["s:d"], "thing:/", .read, .partial))
        let verdict = named.verdict(["s:i"], "thing:/x", .read, .unrestricted)
        #expect(named.label(of: verdict.entry) == "imported-my.ns:tpl-IMPLICIT")
    }

    @Test func `own and imported entries count together`() throws {
        let both = try engine([PolicyDocument.Import(policyId: "my.ns:tpl")])
        #expect(both.isAllowed(["s:i"], "thing:/own", [.read, .write], .unrestricted))
        #expect(!both.isAllowed(["s:i"], "thing:/", [.read, .write], .unrestricted))
    }

    @Test func `what cannot be imported is an error`() {
        func check(_ expected: PolicyError, _ imports: [PolicyDocument.Import]) {
            #expect(throws: expected) { _ = try engine(imports) }
            #expect(!expected.description.isEmpty)
        }
        let (policy, imported) = ("my.ns:p", "my.ns:tpl")
        check(.unresolvedImport(policy: policy, imported: "x:y"), [PolicyDocument.Import(policyId: "x:y")])
        check(.importsItself(policy: policy), [PolicyDocument.Import(policyId: policy)])
        check(
            .duplicateImport(policy: policy, imported: imported),
            [PolicyDocument.Import(policyId: imported), PolicyDocument.Import(policyId: imported)])
        check(
            .unknownImportedEntry(policy: policy, imported: imported, label: "NONE"),
            [PolicyDocument.Import(policyId: imported, entries: ["NONE"])])
        check(
            .neverImportable(policy: policy, imported: imported, label: "NEVER"),
            [PolicyDocument.Import(policyId: imported, entries: ["NEVER"])])
        check(
            .tooManyImports(policy: policy, count: 11), (0..<11).map { PolicyDocument.Import(policyId: "n:\($0)") })
    }

    @Test func `ten imports are allowed, and a bad entry in one is found`() throws {
        let ten = (0..<10).map { PolicyDocument.Import(policyId: "n:\($0)") }
        let document = PolicyDocument(policyId: "n:p", imports: ten)
        let engine = try PolicyEngine(document: document) { id in
            PolicyDocument(policyId: id, entries: [entry("e", ["s"], [("thing:/", .read, [])])])
        }
        #expect(engine.labels.count == 10)
        #expect(throws: PolicyError.badResource(policy: "n:3", label: "imported-n:3-e", key: "x", problem: .noType)) {
            try PolicyEngine(document: document) { id in
                PolicyDocument(policyId: id, entries: [entry("e", [], [(id == "n:3" ? "x" : "t:/", .read, [])])])
            }
        }
    }
}
