import Policy
import Testing

@Suite struct PolicyEngineTests {
    private func resource(_ key: String, _ grant: Permissions = .read) -> PolicyDocument.Resource {
        PolicyDocument.Resource(key: key, grant: grant)
    }

    @Test func `a subject expires in the very second`() throws {
        let document = PolicyDocument(
            policyId: "n:p",
            entries: [
                PolicyDocument.Entry(
                    label: "e", subjects: [PolicyDocument.Subject(id: "s:a", expiry: 1000)],
                    resources: [resource("thing:/")])
            ])
        let engine = try PolicyEngine(document: document)
        #expect(engine.isAllowed(["s:a"], "thing:/", .read, .partial, now: 999))
        #expect(!engine.isAllowed(["s:a"], "thing:/", .read, .partial, now: 1000))
        #expect(engine.view(for: ["s:a"], now: 999).validUntil == 1000)
        #expect(engine.view(for: ["s:a"], now: 1000).validUntil == .max)
    }

    @Test func `a view is valid until the first matched entry changes`() throws {
        let subjects = [
            PolicyDocument.Subject(id: "s:a", expiry: 100), PolicyDocument.Subject(id: "s:b", expiry: 200),
            PolicyDocument.Subject(id: "s:c"),
        ]
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    PolicyDocument.Entry(label: "e", subjects: subjects, resources: [resource("thing:/")]),
                    PolicyDocument.Entry(
                        label: "f", subjects: [PolicyDocument.Subject(id: "s:b", expiry: 150)],
                        resources: [resource("thing:/f")]),
                ]))
        #expect(engine.view(for: ["s:a"], now: 0).validUntil == 100)
        #expect(engine.view(for: ["s:c"], now: 0).validUntil == .max)
        // Entry e lasts as long as the later of its two subjects.
        #expect(engine.view(for: ["s:a", "s:b"], now: 0).validUntil == 150)
        #expect(engine.view(for: ["s:a", "s:b"], now: 150).validUntil == 200)
        #expect(engine.view(for: ["s:a", "s:c"], now: 0).validUntil == .max)
        #expect(engine.view(for: [], now: 0).validUntil == .max)
    }

    @Test func `callers who match the same entries share a view`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    entry("e", ["s:a", "s:b"], [("thing:/", .read, [])]),
                    entry("f", ["s:c"], [("thing:/", .write, [])]),
                ]))
        let view = engine.view(for: ["s:a"], now: 0)
        #expect(engine.view(for: ["s:b"], now: 5) === view)
        #expect(engine.view(for: ["s:b", "x", "s:a"], now: 5) === view)
        #expect(engine.view(for: ["s:c", "s:a"], now: 0) === engine.view(for: ["s:a", "s:c"], now: 0))
        #expect(engine.view(for: ["s:c"], now: 0) !== view)
        #expect(engine.view(for: [], now: 0) === engine.view(for: ["unknown"], now: 0))
    }

    @Test func `very many views stay right and bounded`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: (0..<14).map { number in
                    entry("e\(number)", ["s:\(number)"], [("thing:/\(number)", .read, [])])
                }))
        for set in 0..<(1 << 14) {
            let subjects = (0..<14).filter { set >> $0 & 1 == 1 }.map { "s:\($0)" }
            let view = engine.view(for: subjects, now: 0)
            var cursor = view.start(type: Array("thing".utf8))
            let segment = Array("13".utf8)
            cursor.descend(segment.span)
            #expect(cursor.verdict(.read, .partial).isAllowed == (set >> 13 == 1))
        }
    }

    @Test func `subjects are compared byte by byte`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p", entries: [entry("e", ["s:\u{E9}"], [("thing:/\u{E9}", .read, [])])]))
        #expect(engine.isAllowed(["s:\u{E9}"], "thing:/\u{E9}", .read, .unrestricted))
        #expect(!engine.isAllowed(["s:e\u{301}"], "thing:/\u{E9}", .read, .unrestricted))
        #expect(!engine.isAllowed(["s:\u{E9}"], "thing:/e\u{301}", .read, .unrestricted))
    }

    /// As Ditto reads its pointers: `~0` is `~` on either side, and `~1` is nothing but itself.
    @Test(
        arguments: [
            ("a~1b", ["a~1b"], ["a", "a1b"]), ("c~0d", ["c~0d", "c~d"], ["c0d"]), ("~", ["~0", "~"], ["~1", "~~"]),
            ("~0", ["~0", "~"], ["~00", "0"]), ("~00", ["~00"], ["~", "~0"]), ("~01", ["~01", "~1"], ["~"]),
            ("x~", ["x~", "x~0"], ["x"]),
        ])
    func `a tilde means in a request what it means in the policy`(
        key: String, same: [String], others: [String]
    ) throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    entry("all", ["s"], [("thing:/", .write, [])]),
                    entry("not", ["s"], [("thing:/a/\(key)", [], .write)]),
                ]))
        for (words, isAllowed) in [(same, false), (others, true)] {
            for word in words {
                let resource = "thing:/a/\(word)"
                #expect(engine.isAllowed(["s"], resource, .write, .unrestricted) == isAllowed, "\(word)")
                #expect(engine.isAllowed(["s"], resource + "/b", .write, .partial) == isAllowed, "\(word)")
                let explanation = engine.explain(
                    ["s"], resource: try ResourcePath(resource), .write, .unrestricted, now: 0)
                #expect(explanation.isAllowed == isAllowed, "\(word)")
            }
        }
    }

    @Test(
        arguments: [
            // namespace asked for, whether the grant for com.acme and com.acme.* counts, whether the revoke counts
            ("com.acme", true, true), ("com.acme.x", true, true), ("com.acme.x.y", true, true), ("com", false, false),
            ("com.acmex", false, false), ("com.acme.", false, false), ("", false, false), (nil, false, true),
        ] as [(String?, Bool, Bool)])
    func `an entry limited to namespaces`(namespace: String?, isGranting: Bool, isRevoking: Bool) throws {
        let limited = ["com.acme", "com.acme.*"]
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p",
                entries: [
                    entry("all", ["s"], [("thing:/b", .read, [])], namespaces: []),
                    entry("some", ["s"], [("thing:/a", .read, []), ("thing:/b", [], .read)], namespaces: limited),
                ]))
        #expect(engine.isAllowed(["s"], "thing:/a", .read, .unrestricted, namespace: namespace) == isGranting)
        #expect(engine.isAllowed(["s"], "thing:/b", .read, .unrestricted, namespace: namespace) == !isRevoking)
        let words = engine.explain(
            ["s"], resource: try ResourcePath("thing:/a"), .read, .unrestricted, namespace: namespace, now: 0)
        #expect(words.isAllowed == isGranting)
    }

    @Test func `a pattern of namespaces covers what is below and not the name itself`() throws {
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "n:p", entries: [entry("e", ["s"], [("thing:/", .read, [])], namespaces: ["com.acme.*"])]))
        #expect(engine.isAllowed(["s"], "thing:/", .read, .partial, namespace: "com.acme.x"))
        #expect(!engine.isAllowed(["s"], "thing:/", .read, .partial, namespace: "com.acme"))
        #expect(!engine.isAllowed(["s"], "thing:/", .read, .partial, namespace: "com.acme."))
    }

    @Test func `what is badly written is refused with its place`() {
        func check(_ expected: PolicyError, _ entries: [PolicyDocument.Entry]) {
            #expect(throws: expected) { try PolicyEngine(document: PolicyDocument(policyId: "n:p", entries: entries)) }
            #expect(!expected.description.isEmpty)
        }
        let cases: [(String, PolicyError.ResourceProblem)] = [
            ("", .noType), (":/", .noType), ("thing", .noType), ("/a", .noType), ("thing:", .noPath),
            ("thing:a", .noPath),
            ("thing://", .emptySegment), ("thing:/a//b", .emptySegment), ("thing:/a/", .emptySegment),
            ("thing:" + String(repeating: "/a", count: 65), .tooDeep),
        ]
        for (key, problem) in cases {
            check(
                .badResource(policy: "n:p", label: "e", key: key, problem: problem),
                [entry("e", ["s"], [(key, .read, [])])])
        }
        check(.reservedLabel(policy: "n:p", label: "importedx"), [entry("importedx", [], [])])
        check(.reservedLabel(policy: "n:p", label: "nsimported-x"), [entry("nsimported-x", [], [])])
        check(.emptyLabel(policy: "n:p"), [entry("", [], [])])
        check(.duplicateLabel(policy: "n:p", label: "e"), [entry("e", [], []), entry("e", [], [])])
        for namespace in ["", "*", ".*", "a*", "a.*.b", "*.a"] {
            check(
                .badNamespace(policy: "n:p", label: "e", namespace: namespace),
                [entry("e", [], [], namespaces: [namespace])])
        }
        let many = (0...PolicyEngine.maximumEntries).map { entry("e\($0)", [], []) }
        check(.tooManyEntries(policy: "n:p", count: many.count), many)
        let resources = Array(repeating: ("thing:/", Permissions.read, Permissions()), count: 100_001)
        check(.tooManyResources(policy: "n:p", count: 100_001), [entry("e", [], resources)])
    }

    @Test func `the deepest resource allowed is allowed`() throws {
        let deepest = "thing:" + String(repeating: "/a", count: 64)
        let engine = try PolicyEngine(
            document: PolicyDocument(policyId: "n:p", entries: [entry("e", ["s"], [(deepest, .read, [])])]))
        #expect(engine.isAllowed(["s"], deepest + "/a", .read, .unrestricted))
        #expect(engine.isAllowed(["s"], "thing:/", .read, .partial))
    }

    @Test func `many children are all found`() throws {
        let resources = (0..<1000).map { ("thing:/item-\($0)", $0 % 2 == 0 ? Permissions.read : .write, Permissions()) }
        let engine = try PolicyEngine(
            document: PolicyDocument(policyId: "n:p", entries: [entry("e", ["s"], resources)]))
        for number in 0..<1000 {
            #expect(engine.isAllowed(["s"], "thing:/item-\(number)", .read, .unrestricted) == (number % 2 == 0))
        }
        #expect(!engine.isAllowed(["s"], "thing:/item-1000", [], .unrestricted) == false)
        #expect(!engine.isAllowed(["s"], "thing:/item-1000", .read, .unrestricted))
    }
}
