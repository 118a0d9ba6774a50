import Control
import TestKit
import Testing

@Suite struct LockedFileTests {
    @Test func contentIsReplacedWhole() throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let file = LockedFile(path: directory + "/a/b/tokens.json")
        #expect(try file.read() == [])
        try file.update { old in old + [1] }
        try file.update { old in old + [2] }
        #expect(try file.read() == [1, 2])
    }

    @Test func nothingIsWrittenWhenTheChangeFails() throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let file = LockedFile(path: directory + "/f")
        try file.update { _ in [7] }
        #expect(throws: CancellationError.self) { try file.update { _ in throw CancellationError() } }
        try file.update { _ in nil }
        #expect(try file.read() == [7])
    }

    @Test func writersWaitForEachOther() async throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let path = directory + "/f"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 as Range<UInt8> {
                group.addTask { try LockedFile(path: path).update { $0 + [number] } }
            }
            try await group.waitForAll()
        }
        #expect(try LockedFile(path: path).read().sorted() == Array(0..<20))
    }

    @Test func aFailureNamesThePlace() {
        let error = #expect(throws: LockedFile.Failure.self) { try LockedFile(path: "/proc/none/f").update { $0 } }
        #expect(error?.description.contains("/proc/none") == true)
    }
}
