import Foundation
import Glibc
import NIOConcurrencyHelpers

/// A running `tollgate serve` with a configuration of its own, in a directory of its own.
///
/// The executable is the one that was built beside the test bundle, or the one `TOLLGATE_BINARY` names.
package final class GatewayProcess: Sendable {
    /// What went wrong before the gateway was ready, with what it wrote to standard error.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// The configuration, audit files, key files and standard error lie here.
    package let directory: String
    /// The port of the first public listener.
    package let port: Int
    /// The port of the admin listener.
    package let adminPort: Int
    private let ownsDirectory: Bool
    private let process: NIOLockedValueBox<Process>

    /// Starts a gateway and waits until it says it is ready.
    ///
    /// - Parameters:
    ///   - configuration: the members of `gateway.json`; `listeners`, `admin` and `audit` are added where absent.
    ///   - files: further files by their path inside the directory, such as `policies/things.json`.
    ///   - activation: the socket of the public listener and its port, handed over as a service manager does.
    ///   - core: the one core that the process may use.
    package init(
        _ configuration: Literal, files: [String: [UInt8]] = [:], environment: [String: String] = [:],
        activation: (socket: Socket, port: Int)? = nil, onCore core: Int? = nil
    ) throws {
        directory = try TemporaryDirectory.make()
        ownsDirectory = true
        port = try activation?.port ?? Socket.freePort()
        adminPort = try Socket.freePort()
        for (path, bytes) in files { try TemporaryDirectory.write(bytes, to: directory + "/" + path) }
        try TemporaryDirectory.write(
            Self.frame(port: port, adminPort: adminPort).merging(configuration).bytes, to: directory + "/gateway.json")
        process = NIOLockedValueBox(
            try Self.launch(
                ["serve", "--config", directory + "/gateway.json"], directory: directory, environment: environment,
                activation: activation?.socket, onCore: core))
        try waitUntilReady()
    }

    /// Starts an ended gateway again with the same files and ports; the first one still owns the directory.
    package init(resuming ended: GatewayProcess) throws {
        directory = ended.directory
        port = ended.port
        adminPort = ended.adminPort
        ownsDirectory = false
        process = NIOLockedValueBox(
            try Self.launch(["serve", "--config", directory + "/gateway.json"], directory: directory, environment: [:]))
        try waitUntilReady()
    }

    private func waitUntilReady() throws {
        guard eventually(within: .seconds(30), { isReady || !isRunning }), isRunning else {
            throw Failure(description: "the gateway did not become ready:\n\(standardError)")
        }
    }

    deinit {
        kill()
        let mustKeep = ProcessInfo.processInfo.environment["TOLLGATE_KEEP"] != nil
        if ownsDirectory, !mustKeep { TemporaryDirectory.remove(directory) }
    }

    /// Puts another configuration in place of the old file; SIGHUP makes the gateway read it.
    package func rewrite(_ configuration: Literal) throws {
        try rewrite(text: Self.frame(port: port, adminPort: adminPort).merging(configuration).bytes)
    }

    /// Puts any bytes in place of the configuration file.
    package func rewrite(text: [UInt8]) throws {
        try TemporaryDirectory.write(text, to: directory + "/gateway.json")
    }

    private static func frame(port: Int, adminPort: Int) -> Literal {
        [
            "listeners": [["name": "public", "address": "127.0.0.1:\(port)"]],
            "admin": ["address": "127.0.0.1:\(adminPort)"],
            "audit": ["directory": "audit"],
        ]
    }

    // MARK: Life

    /// The id of the process.
    package var processID: Int32 { process.withLockedValue { $0.processIdentifier } }

    /// Whether the process runs.
    package var isRunning: Bool { process.withLockedValue { $0.isRunning } }

    /// Whether the admin listener says that the gateway takes requests.
    package var isReady: Bool { readiness == 200 }

    /// The status of `/health/ready`; nil when the admin listener does not answer.
    package var readiness: Int? { try? admin("/health/ready")?.status }

    /// Asks the process to end (SIGTERM), without waiting.
    package func terminate() { signal(SIGTERM) }

    /// Sends a signal to the process.
    package func signal(_ number: Int32) { _ = Glibc.kill(processID, number) }

    /// Waits for the process to end: its exit status, or nil when it still runs after the limit or died of a signal.
    package func exitStatus(within limit: Duration = .seconds(30)) -> Int32? {
        guard eventually(within: limit, { !isRunning }) else { return nil }
        return process.withLockedValue { $0.terminationReason == .exit ? $0.terminationStatus : nil }
    }

    /// Ends the process at once.
    package func kill() {
        guard isRunning else { return }
        signal(SIGKILL)
        _ = eventually { !isRunning }
    }

    /// Everything the process wrote to standard error so far.
    package var standardError: String {
        String(decoding: (try? Data(contentsOf: URL(filePath: directory + "/stderr.txt"))) ?? Data(), as: UTF8.self)
    }

    /// One line of `/proc/PID/status` in KiB, such as `VmRSS` or `VmHWM`.
    package func memory(_ name: String) -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
    }

    /// The names of the process's threads.
    package var threads: [String] {
        let folder = "/proc/\(processID)/task"
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return tasks.compactMap { try? String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8) }
            .map { $0.trimmingCharacters(in: .newlines) }
    }

    // MARK: Talking to it

    /// One request on a connection of its own; nil when no whole answer head came.
    package func request(
        _ method: String, _ target: String, _ fields: [(String, String)] = [], body: [UInt8]? = nil
    ) throws -> Message? {
        try Self.exchange(port, method, target, fields, body)
    }

    /// GET on a connection of its own.
    package func get(_ target: String, _ fields: [(String, String)] = []) throws -> Message? {
        try request("GET", target, fields)
    }

    /// GET on the admin listener.
    package func admin(_ target: String) throws -> Message? {
        try Self.exchange(adminPort, "GET", target, [], nil)
    }

    /// A raw connection to the public listener.
    package func connect(receiveBuffer: Int32? = nil) throws -> RawClient {
        try RawClient(port: port, receiveBuffer: receiveBuffer)
    }

    private static func exchange(
        _ port: Int, _ method: String, _ target: String, _ fields: [(String, String)], _ body: [UInt8]?
    ) throws -> Message? {
        let client = try RawClient(port: port)
        var head = "\(method) \(target) HTTP/1.1\r\nHost: gateway.test\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        client.send(latin1(head + "\r\n") + (body ?? []))
        return client.answer(toHEAD: method == "HEAD")
    }

    /// The sum of all samples of a metric whose line holds every one of the texts; 0 without any.
    package func metric(_ name: String, _ labels: String...) throws -> Double {
        let text = try admin("/metrics")?.text ?? ""
        return text.split(separator: "\n")
            .filter { line in
                (line.hasPrefix(name + "{") || line.hasPrefix(name + " ")) && labels.allSatisfy { line.contains($0) }
            }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0, +)
    }

    // MARK: Audit

    /// The complete lines of the audit files, in the order of the files' names.
    package var auditLines: [[UInt8]] {
        let folder = directory + "/audit"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? []
        return names.flatMap { name -> [[UInt8]] in
            let bytes = [UInt8]((try? Data(contentsOf: URL(filePath: folder + "/" + name))) ?? Data())
            guard let end = bytes.lastIndex(of: 10) else { return [] }
            return bytes[...end].split(separator: 10).map(Array.init)
        }
    }
}

// MARK: - The executable

extension GatewayProcess {
    /// What a command of the executable did.
    package struct Run: Sendable {
        package let status: Int32
        package let output: String
        package let errors: String
    }

    /// Where the executable is.
    package static var executable: String {
        if let named = ProcessInfo.processInfo.environment["TOLLGATE_BINARY"] { return named }
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        let folder = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        if bundle.hasSuffix(".xctest") { return folder.joined(separator: "/") + "/tollgate" }
        // A runner that loads the bundle names it among its arguments.
        let named = CommandLine.arguments.first { $0.contains(".xctest") } ?? CommandLine.arguments[0]
        let parts = named.split(separator: "/", omittingEmptySubsequences: false)
        let place = parts.firstIndex { $0.hasSuffix(".xctest") } ?? parts.endIndex - 1
        return parts[..<place].joined(separator: "/") + "/tollgate"
    }

    /// Runs one command to its end, in `directory`.
    package static func run(
        _ arguments: [String], in directory: String, environment: [String: String] = [:]
    ) throws -> Run {
        let process = try launch(arguments, directory: directory, environment: environment, prefix: "run-")
        guard eventually(within: .seconds(60), { !process.isRunning }) else {
            _ = Glibc.kill(process.processIdentifier, SIGKILL)
            throw Failure(description: "tollgate \(arguments.joined(separator: " ")) did not end")
        }
        return Run(
            status: process.terminationReason == .exit ? process.terminationStatus : -1,
            output: try String(contentsOfFile: directory + "/run-stdout.txt", encoding: .utf8),
            errors: try String(contentsOfFile: directory + "/run-stderr.txt", encoding: .utf8))
    }

    static func launch(
        _ arguments: [String], directory: String, environment: [String: String], prefix: String = "",
        activation: Socket? = nil, onCore core: Int? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: directory)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        if let activation {
            // Only a shell can put a socket where the protocol wants it, and knows the number of the process before it begins.
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments =
                ["-c", #"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" 3<&0 </dev/null"#, executable] + arguments
            process.standardInput = FileHandle(fileDescriptor: activation.descriptor, closeOnDealloc: false)
        }
        if let core {
            process.executableURL = URL(filePath: "/usr/bin/taskset")
            process.arguments = ["-c", "\(core)", executable] + arguments
        }
        process.standardOutput = try output(directory + "/\(prefix)stdout.txt")
        process.standardError = try output(directory + "/\(prefix)stderr.txt")
        try process.run()
        return process
    }

    private static func output(_ path: String) throws -> FileHandle {
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(filePath: path))
    }
}

/// Directories for one test each.
package enum TemporaryDirectory {
    /// Makes an empty directory.
    package static func make() throws -> String {
        let path = NSTemporaryDirectory() + "tollgate-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Writes a file, making the folders above it.
    package static func write(_ bytes: [UInt8], to path: String) throws {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: path), options: .atomic)
    }

    /// The bytes of a file.
    package static func read(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    /// The paths of all files below a directory, sorted.
    package static func files(_ directory: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: directory).sorted().map { directory + "/" + $0 }
            .filter { path in
                var isDirectory: ObjCBool = false
                let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
                return exists && !isDirectory.boolValue
            }
    }

    /// Removes a directory with everything in it.
    package static func remove(_ path: String) {
        try? FileManager.default.removeItem(atPath: path)
    }
}
