import Routing
import Testing

@Suite struct CaptureTemplateTests {
    private func segments(_ template: CaptureTemplate, _ raw: String, restStart: Int) -> [String] {
        var result: [String] = []
        guard let path = normal(raw) else { return ["refused"] }
        template.walk(path, restStart: restStart) { segment in
            var bytes: [UInt8] = []
            for index in segment.indices { bytes.append(segment[index]) }
            result.append(String(decoding: bytes, as: UTF8.self))
        }
        return result
    }

    @Test func `the rest becomes the resource`() throws {
        let pattern = try RoutePattern("/api/2/things/**")
        let template = try CaptureTemplate(resource: "thing:/{rest}", for: pattern)
        #expect(template.type == Array("thing".utf8))
        #expect(segments(template, "/api/2/things", restStart: 3) == [])
        #expect(segments(template, "/api/2/things/", restStart: 3) == [])
        let raw = "/api/2/things/ns:a/%66eatures/x%20y/"
        #expect(segments(template, raw, restStart: 3) == ["ns:a", "features", "x y"])
        #expect(template == (try CaptureTemplate(resource: "thing:/**", for: pattern)))
    }

    @Test func `captures and literals keep their order`() throws {
        let pattern = try RoutePattern("/{tenant}/*/{id}/**")
        let template = try CaptureTemplate(resource: "message:/in box/{id}/x/{tenant}/{rest}", for: pattern)
        #expect(segments(template, "/t/skip/7/r/s", restStart: 3) == ["in box", "7", "x", "t", "r", "s"])
        #expect(segments(template, "/t/skip/7", restStart: 3) == ["in box", "7", "x", "t"])
    }

    @Test func `the root has no segments`() throws {
        let template = try CaptureTemplate(resource: "thing:/", for: try RoutePattern("/x"))
        #expect(segments(template, "/x", restStart: 1) == [])
    }

    @Test(arguments: ["", "thing", "thing:", ":/x", "thing:x", "/thing:/x", "thing/x:/y"])
    func `a resource without type and path is refused`(text: String) throws {
        let pattern = try RoutePattern("/**")
        #expect(throws: RoutingError.noResourceType(template: text)) {
            try CaptureTemplate(resource: text, for: pattern)
        }
    }

    @Test func `what the pattern does not capture is refused`() throws {
        let pattern = try RoutePattern("/{id}/*")
        let known = ["id"]
        #expect(throws: RoutingError.unknownCapture(template: "t:/{x}", name: "x", known: known)) {
            try CaptureTemplate(resource: "t:/{x}", for: pattern)
        }
        #expect(throws: RoutingError.unknownCapture(template: "t:/{rest}", name: "rest", known: known)) {
            try CaptureTemplate(resource: "t:/{rest}", for: pattern)
        }
        #expect(throws: RoutingError.unknownCapture(template: "t:/*", name: "*", known: known)) {
            try CaptureTemplate(resource: "t:/*", for: pattern)
        }
        #expect(throws: RoutingError.badCapture(pattern: "/ns:{id}", segment: "ns:{id}")) {
            try CaptureTemplate(resource: "t:/ns:{id}", for: pattern)
        }
    }

    @Test func `a path that does not fit gives what it has`() throws {
        let template = try CaptureTemplate(resource: "t:/{b}/{rest}", for: try RoutePattern("/{a}/{b}/**"))
        #expect(segments(template, "/x", restStart: 9) == [])
    }
}
