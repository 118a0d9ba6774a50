import Testing

@testable import Audit

@Suite struct AuditBellTests {
    @Test func manyRingsAreOneWake() throws {
        let bell = try AuditBell()
        #expect(!bell.wait(milliseconds: 0))
        for _ in 0..<3 {
            for _ in 0..<100 { bell.ring() }
            #expect(bell.wait(milliseconds: -1))
            #expect(!bell.wait(milliseconds: 0))
        }
    }

    @Test func onlyARingMoreThanHalfFullRings() throws {
        let bell = try AuditBell()
        let ring = try AuditRing(capacity: 1 << 16, bell: bell, stopsAdmission: false)
        while ring.publishedPosition < 1 << 15 {
            #expect(!bell.wait(milliseconds: 0))
            ring.appendSample()
        }
        #expect(bell.wait(milliseconds: -1))
        _ = ring.takeAll()
        ring.appendSample()
        #expect(!bell.wait(milliseconds: 0))
    }

    @Test func aDroppedRecordRings() throws {
        let bell = try AuditBell()
        let ring = try AuditRing(capacity: 1 << 16, bell: bell, stopsAdmission: false)
        while ring.appendSample() {}
        #expect(bell.wait(milliseconds: -1))
        #expect(!ring.appendSample())
        #expect(bell.wait(milliseconds: -1))
    }
}
