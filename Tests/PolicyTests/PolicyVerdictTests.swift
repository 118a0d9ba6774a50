import Policy
import StrictJSON
import TestKit
import Testing

@Suite struct PolicyVerdictTests {
    /// The verdicts of Ditto's own enforcers.
    @Test func `every line of the oracle agrees, compiled and naive`() throws {
        let lines = try Oracle.jsonLines("policy-verdicts.jsonl")
        #expect(lines.count == 664)
        var partials = 0
        for (number, line) in lines.enumerated() {
            let document = try #require(line.member("policy").flatMap(policy))
            let subjects = try #require(line.member("subjects")?.array).compactMap(\.string)
            let resource = try #require(line.member("resource")?.string)
            let permissions = try #require(line.member("permissions")).permissions
            #expect(!permissions.isEmpty)
            let engine = try PolicyEngine(document: document)
            let naive = NaivePolicy(document: document)
            let parts = resource.split(separator: ":", maxSplits: 1).map(String.init)
            let path = parts[1].split(separator: "/").map(String.init)
            for (check, name) in [(Check.unrestricted, "unrestricted"), (.partial, "partial")] {
                guard let expected = line.member(name)?.bool else { continue }
                if check == .partial { partials += 1 }
                #expect(
                    engine.isAllowed(subjects, resource, permissions, check) == expected, "line \(number + 1), \(name)")
                #expect(
                    naive.isAllowed(subjects, parts[0], path, permissions, check, now: 0) == expected,
                    "naive, line \(number + 1), \(name)")
                let words = engine.explain(
                    subjects, resource: try ResourcePath(resource), permissions, check, now: 0)
                #expect(words.isAllowed == expected, "explained, line \(number + 1), \(name)")
            }
        }
        #expect(partials > 300)
    }

    @Test func `the compiled policy agrees with the naive one on random policies`() throws {
        var random = SeededGenerator(seed: 2024)
        let names = ["a", "b", "c"]
        let types = ["thing", "policy", "message"]
        let kinds: [Permissions] = [[], .read, .write, .execute, [.read, .write], .all]
        var allowed = 0
        var asked = 0
        for round in 0..<400 {
            let entries = (0..<Int.random(in: 0...5, using: &random)).map { number in
                let subjects = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    PolicyDocument.Subject(
                        id: "s:\(Int.random(in: 0..<4, using: &random))",
                        expiry: Bool.random(using: &random) ? Int64.random(in: 90...110, using: &random) : nil)
                }
                let resources = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                    let path = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        names[Int.random(in: 0..<3, using: &random)]
                    }
                    return PolicyDocument.Resource(
                        key: types[Int.random(in: 0..<2, using: &random)] + ":/" + path.joined(separator: "/"),
                        grant: kinds[Int.random(in: 0..<6, using: &random)],
                        // More often nothing than not, or nearly every question would be refused.
                        revoke: kinds[max(Int.random(in: -6..<6, using: &random), 0)])
                }
                return PolicyDocument.Entry(label: "e\(number)", subjects: subjects, resources: resources)
            }
            let document = PolicyDocument(policyId: "n:p", entries: entries)
            let engine = try PolicyEngine(document: document)
            let naive = NaivePolicy(document: document)
            for _ in 0..<60 {
                let subjects = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    "s:\(Int.random(in: 0..<5, using: &random))"
                }
                let path = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                    names[Int.random(in: 0..<3, using: &random)]
                }
                let type = types[Int.random(in: 0..<3, using: &random)]
                let permissions = kinds[Int.random(in: 1..<6, using: &random)]
                let now = Int64.random(in: 88...112, using: &random)
                let resource = type + ":/" + path.joined(separator: "/")
                for check in Check.allCases {
                    let expected = naive.isAllowed(subjects, type, path, permissions, check, now: now)
                    let found = engine.verdict(subjects, resource, permissions, check, now: now)
                    #expect(found.isAllowed == expected, "round \(round): \(subjects) \(resource) \(check) \(document)")
                    let words = engine.explain(
                        subjects, resource: try ResourcePath(resource), permissions, check, now: now)
                    #expect(words.isAllowed == expected)
                    #expect(
                        words.deciding == found.entry, "round \(round): \(subjects) \(resource) \(check) \(document)")
                    asked += 1
                    allowed += expected ? 1 : 0
                }
            }
        }
        // Neither side of the comparison is always the same answer.
        #expect(allowed > asked / 20 && allowed < asked)
    }

    @Test func `the table of the published facts`() throws {
        let a = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:a",
                entries: [
                    entry(
                        "a", ["s:a"],
                        [
                            ("thing:/", [.read, .write], []), ("thing:/attributes", [], [.read, .write]),
                            ("thing:/attributes/location", .read, []),
                        ])
                ]))
        #expect(!a.isAllowed(["s:a"], "thing:/", [.read, .write], .unrestricted))
        #expect(a.isAllowed(["s:a"], "thing:/attributes", .read, .partial))
        #expect(a.isAllowed(["s:a"], "thing:/attributes/location", .read, .unrestricted))
        #expect(!a.isAllowed(["s:a"], "thing:/attributes/location", .write, .unrestricted))

        let b = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:b",
                entries: [
                    entry("b", ["s:b"], [("thing:/features", .read, []), ("thing:/features/firmware", [], .read)])
                ]))
        #expect(!b.isAllowed(["s:b"], "thing:/features", .read, .unrestricted))
        #expect(b.isAllowed(["s:b"], "thing:/features", .read, .partial))

        let nogo = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:c",
                entries: [
                    entry("8", ["s:8"], [("thing:/attributes", [.read, .write], [])]),
                    entry(
                        "4", ["s:4"],
                        [
                            ("thing:/attributes/nogo1", [], [.read, .write]),
                            ("thing:/attributes/nogo1/go1", [.read, .write], []),
                        ]),
                ]))
        #expect(!nogo.isAllowed(["s:8", "s:4"], "thing:/attributes", .write, .unrestricted))
        #expect(nogo.isAllowed(["s:8", "s:4"], "thing:/attributes/nogo1/go1", .write, .unrestricted))

        let tie = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:d",
                entries: [
                    entry("a", ["s:a"], [("thing:/attributes/x", .read, [])]),
                    entry("b", ["s:b"], [("thing:/attributes/x", [], .read)]),
                ]))
        #expect(!tie.isAllowed(["s:a", "s:b"], "thing:/attributes/x", .read, .unrestricted))
        #expect(tie.isAllowed(["s:a"], "thing:/attributes/x", .read, .unrestricted))
    }

    @Test func `matching is by whole segment, case-sensitive, within a type`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [entry("e", ["s:a"], [("thing:/features/lamp", .read, []), ("policy:/", .write, [])])]))
        for (resource, expected) in [
            ("thing:/features/lamp", true), ("thing:/features/lamp/x/y", true), ("thing:/features/lam", false),
            ("thing:/features/lamps", false), ("thing:/features/Lamp", false), ("thing:/features", false),
            ("thing:/", false), ("policy:/features/lamp", false), ("message:/", false), ("Thing:/features/lamp", false),
            ("thin:/features/lamp", false), ("things:/features/lamp", false),
        ] {
            #expect(engine.isAllowed(["s:a"], resource, .read, .unrestricted) == expected, "\(resource)")
        }
        #expect(engine.isAllowed(["s:a"], "policy:/any/depth", .write, .unrestricted))
        #expect(engine.isAllowed(["s:a"], "thing:/", .read, .partial))
        #expect(!engine.isAllowed(["s:A"], "policy:/", .write, .unrestricted))
    }

    @Test func `a verdict names the entry that decided`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    entry("none", ["s:z"], [("thing:/", .all, [])]),
                    entry("grant", ["s:a"], [("thing:/", [.read, .write], [])]),
                    entry("grant2", ["s:a"], [("thing:/", [.read], [])]),
                    entry("revoke", ["s:a"], [("thing:/a/b", [], .write)]),
                    entry("deep", ["s:a"], [("thing:/a/b/c", .execute, [])]),
                ]))
        let cases: [(String, Permissions, Check, Bool, String?)] = [
            ("thing:/", .read, .unrestricted, true, "grant"),
            ("thing:/x", .read, .partial, true, "grant"),
            ("thing:/", .write, .unrestricted, false, "revoke"),
            ("thing:/a/b/q", .write, .unrestricted, false, "revoke"),
            ("thing:/a", [.read, .write], .unrestricted, false, "revoke"),
            ("thing:/a", .execute, .partial, true, "deep"),
            ("thing:/a", .execute, .unrestricted, false, nil),
            ("thing:/a", [.write, .execute], .unrestricted, false, "revoke"),
            ("other:/a", .read, .partial, false, nil),
        ]
        for (resource, permissions, check, isAllowed, label) in cases {
            let verdict = engine.verdict(["s:a"], resource, permissions, check)
            #expect(verdict.isAllowed == isAllowed, "\(resource) \(permissions.names)")
            #expect(engine.label(of: verdict.entry) == label, "\(resource) \(permissions.names)")
        }
        #expect(engine.label(of: 5) == nil)
        #expect(engine.label(of: -1) == nil)
        #expect(engine.labels == ["none", "grant", "grant2", "revoke", "deep"])
    }

    @Test func `asking for nothing is allowed`() throws {
        let engine = try PolicyEngine(document: PolicyDocument(policyId: "n:p"))
        #expect(engine.verdict([], "thing:/", [], .partial) == PolicyVerdict(isAllowed: true, entry: -1))
        #expect(engine.verdict([], "thing:/", .read, .partial) == PolicyVerdict(isAllowed: false, entry: -1))
    }

    private func policy(_ json: JSON) -> PolicyDocument? {
        guard let id = json.member("policyId")?.string else { return nil }
        let entries = json.member("entries")?.object?.map { member in
            PolicyDocument.Entry(
                label: member.name,
                subjects: (member.value.member("subjects")?.object ?? []).map { PolicyDocument.Subject(id: $0.name) },
                resources: (member.value.member("resources")?.object ?? []).map { resource in
                    PolicyDocument.Resource(
                        key: resource.name, grant: resource.value.member("grant")?.permissions ?? [],
                        revoke: resource.value.member("revoke")?.permissions ?? [])
                })
        }
        return PolicyDocument(policyId: id, entries: entries ?? [])
    }
}

extension JSON {
    fileprivate var permissions: Permissions {
        (array ?? []).compactMap(\.string).compactMap { Permissions(name: $0) }.reduce(into: []) { $0.formUnion($1) }
    }
}
