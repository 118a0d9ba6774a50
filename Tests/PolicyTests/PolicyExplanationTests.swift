import Policy
import Testing

@Suite struct PolicyExplanationTests {
    private func engine() throws -> PolicyEngine {
        try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    entry("owner", ["s:a"], [("thing:/", [.read, .write], [])]),
                    entry("firmware", ["s:b"], [("thing:/features/firmware", [], .write)]),
                    entry("deep", ["s:b"], [("thing:/features/firmware/log", .write, [])]),
                    entry("limited", ["s:b"], [("thing:/", .execute, [])], namespaces: ["com.acme"]),
                    PolicyDocument.Entry(
                        label: "old", subjects: [PolicyDocument.Subject(id: "s:b", expiry: 50)],
                        resources: [PolicyDocument.Resource(key: "thing:/", grant: .execute)]),
                ]))
    }

    private func words(
        _ subjects: [String], _ resource: String, _ permissions: Permissions, _ check: Check, namespace: String? = nil
    ) throws -> [String] {
        try engine().explain(
            subjects, resource: try ResourcePath(resource), permissions, check, namespace: namespace, now: 100
        ).reasons.map(\.words)
    }

    @Test func `each way of deciding has its words`() throws {
        #expect(
            try words(["s:a"], "thing:/x", [.read, .execute], .unrestricted) == [
                "entry owner grants it at thing:/ and no entry revokes it",
                "no entry that counts for the caller grants it at the resource or above",
            ])
        #expect(
            try words(["s:a", "s:b"], "thing:/features", .write, .unrestricted) == [
                "entry firmware revokes it at thing:/features/firmware, below the resource; the check is unrestricted, "
                    + "so it must hold in the whole subtree"
            ])
        #expect(
            try words(["s:a", "s:b"], "thing:/features/firmware", .write, .unrestricted) == [
                "entry firmware revokes it at thing:/features/firmware, deeper than thing:/, where entry owner grants it"
            ])
        #expect(
            try words(["s:a", "s:b"], "thing:/features/firmware", .write, .partial) == [
                "entry deep grants it at thing:/features/firmware/log, below the resource; the check is partial, so "
                    + "some part is enough"
            ])
        #expect(
            try words(["s:b"], "thing:/features/firmware/log/1", .write, .unrestricted) == [
                "entry deep grants it at thing:/features/firmware/log, which is deeper than thing:/features/firmware, "
                    + "where entry firmware revokes it"
            ])
        #expect(
            try words(["s:b"], "thing:/features/firmware/x", .write, .partial) == [
                "entry firmware revokes it at thing:/features/firmware and no entry grants it"
            ])
    }

    @Test func `the same depth is said to be the same`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(policyId: "n:p", entries: [entry("e", ["s"], [("thing:/a", .read, .read)])]))
        let explanation = engine.explain(["s"], resource: try ResourcePath("thing:/a/b"), .read, .partial, now: 0)
        #expect(
            explanation.lines == [
                "entry e counts for subject s",
                "READ refused: entry e revokes it at thing:/a, as deep as thing:/a, where entry e grants it",
            ])
        #expect(explanation.reasons.first?.entry == "e")
        #expect(explanation.reasons.first?.resource == "thing:/a")
    }

    @Test func `who the caller is to the policy is told, also what does not count`() throws {
        let resource = try ResourcePath("thing:/")
        let unknown = try engine().explain(["s:b", "s:z"], resource: resource, .execute, .partial, now: 100)
        #expect(
            unknown.matching == [
                "entry firmware counts for subject s:b", "entry deep counts for subject s:b",
                "entry limited only takes away: it is limited to namespaces and none is known",
                "entry old does not count: subject s:b expired at Unix second 50",
            ])
        #expect(!unknown.isAllowed)
        let other = try engine().explain(
            ["s:b"], resource: resource, .execute, .partial, namespace: "org", now: 100)
        #expect(other.matching.contains("entry limited does not count: it is limited to other namespaces"))
        let nobody = try engine().explain(["x", "y"], resource: resource, .read, .partial, now: 100)
        #expect(nobody.matching == ["no entry names any of the caller's 2 subjects"])
        #expect(nobody.deciding == -1)
    }

    @Test func `control characters are spelled out`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p", entries: [entry("e\u{1B}[31m", ["s\n"], [("thing:/\u{202E}", .read, [])])]))
        let explanation = engine.explain(
            ["s\n"], resource: try ResourcePath("thing:/\u{202E}"), .read, .partial, now: 0)
        #expect(
            explanation.lines == [
                "entry e\\u{1b}[31m counts for subject s\\u{a}",
                "READ allowed: entry e\\u{1b}[31m grants it at thing:/\\u{202e} and no entry revokes it",
            ])
    }
}
