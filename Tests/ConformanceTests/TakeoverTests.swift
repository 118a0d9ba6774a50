import Foundation
import Glibc
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("One process takes over from another", .serialized)
    struct TakeoverTests {
        /// A process that is nobody's child any more; ended with the value.
        private final class Orphan {
            let pid: Int32

            init(_ pid: Int32) { self.pid = pid }

            var isRunning: Bool {
                // Unsafe: the text is copied. A process that nobody has waited for is no running one.
                guard let status = try? TemporaryDirectory.read("/proc/\(pid)/stat") else { return false }
                return status.split(separator: UInt8(ascii: ")")).last?.dropFirst().first != UInt8(ascii: "Z")
            }

            deinit { kill(pid, SIGKILL) }
        }

        /// The process that was started by the signal of this number, from 1.
        private func successor(_ gateway: GatewayProcess, _ number: Int = 1) throws -> Orphan {
            var found: Int32?
            #expect(
                eventually {
                    let lines = gateway.standardError.split(separator: "\n")
                        .filter { $0.contains("Another process is to take over.") }
                    guard lines.count == number, let line = lines.last,
                        let text = line.split(separator: "pid=\"").last
                    else { return false }
                    found = Int32(text.prefix { $0.isNumber })
                    return found != nil
                }, "\(gateway.standardError)")
            return Orphan(try #require(found))
        }

        /// Whether a process has a socket that listens at the port: one that does not any more takes no connection.
        private func listens(_ pid: Int32, _ port: Int) throws -> Bool {
            let listening = "0A"
            let digits = String(port, radix: 16, uppercase: true)
            let end = ":" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
            let table = String(decoding: try TemporaryDirectory.read("/proc/net/tcp"), as: UTF8.self)
            let sockets = Set(
                table.split(separator: "\n").map { $0.split(separator: " ") }
                    .filter { $0.count > 9 && $0[1].hasSuffix(end) && $0[3] == listening }
                    .map { "socket:[\($0[9])]" })
            let files = FileManager.default
            return try files.contentsOfDirectory(atPath: "/proc/\(pid)/fd").contains { name in
                // One that was closed since the directory was read leads nowhere.
                (try? files.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(name)")).map(sockets.contains) ?? false
            }
        }

        private func says(_ gateway: GatewayProcess, _ text: String) -> Bool {
            eventually { gateway.standardError.contains(text) }
        }

        @Test("SIGUSR2: requests of both are answered, and the records of both are one chain")
        func takeover() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            let latch = Latch()
            fixture.origin.play { request in
                guard request.target == "/public/held" else { return RawOrigin.echo(request) }
                return .afterBody { _ in
                    [.text("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"), .await(latch), .text("half")]
                }
            }
            var decisions: [String] = []
            func ask(_ client: RawClient? = nil) throws {
                let answer = try #require(try gateway.get("/public/x"))
                #expect(answer.status == 200)
                decisions.append(try #require(answer.value("x-request-id")))
            }
            try ask()
            let held = try gateway.connect()
            held.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.origin.requests.count == 2 })
            gateway.signal(SIGUSR2)
            let new = try successor(gateway)
            for _ in 0..<20 { try ask() }
            #expect(says(gateway, "Draining."))
            #expect(try eventually { try !listens(gateway.processID, gateway.port) })
            // The old one still serves what it has begun.
            for _ in 0..<20 { try ask() }
            #expect(gateway.isRunning)
            #expect(gateway.readiness == 200)
            latch.open()
            let answer = try #require(held.answer())
            #expect(answer.text == "halfhalf")
            decisions.append(try #require(answer.value("x-request-id")))
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
            #expect(says(gateway, "The process before has ended."))
            for _ in 0..<20 { try ask() }
            kill(new.pid, SIGTERM)
            #expect(eventually { !new.isRunning }, "\(gateway.standardError)")

            let records = try gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
            let written = records.compactMap { $0.member("decision")?.string }
            for decision in decisions { #expect(written.count { $0 == decision } == 1, "\(decision)") }
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: gateway.directory)
            #expect(run.status == 0, "\(run)")
        }

        @Test("two takeovers within one drain: all three write their records, and the last does so at once")
        func threeAtATime() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            let latch = Latch()
            fixture.origin.play { request in
                guard request.target == "/public/held" else { return RawOrigin.echo(request) }
                return .afterBody { _ in [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")] }
            }
            func hold(_ number: Int) throws -> RawClient {
                let client = try gateway.connect()
                client.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(eventually { fixture.origin.requests.count { $0.target == "/public/held" } == number })
                return client
            }
            func drained(_ count: Int) -> Bool {
                eventually { gateway.standardError.components(separatedBy: "Draining.").count == count + 1 }
            }
            var held = [try hold(1)]
            gateway.signal(SIGUSR2)
            let second = try successor(gateway)
            #expect(drained(1))
            #expect(try eventually { try !listens(gateway.processID, gateway.port) })
            #expect(try listens(second.pid, gateway.port))
            held.append(try hold(2))
            kill(second.pid, SIGUSR2)
            let third = try successor(gateway, 2)
            #expect(drained(2))
            #expect(try eventually { try !listens(second.pid, gateway.port) })
            let answer = try #require(try gateway.get("/public/x"))
            let decision = try #require(answer.value("x-request-id"))
            // While the two before it still have something to do.
            #expect(
                eventually {
                    gateway.auditLines.contains { String(decoding: $0, as: UTF8.self).contains(decision) }
                }, "\(gateway.standardError)")
            #expect(gateway.isRunning && second.isRunning && third.isRunning)
            latch.open()
            var decisions = [decision]
            for client in held {
                let answer = try #require(client.answer())
                #expect(answer.status == 200)
                decisions.append(try #require(answer.value("x-request-id")))
            }
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
            #expect(eventually { !second.isRunning })
            kill(third.pid, SIGTERM)
            #expect(eventually { !third.isRunning })
            #expect(!gateway.standardError.contains("could not be written"), "\(gateway.standardError)")
            let text = gateway.auditLines.map { String(decoding: $0, as: UTF8.self) }
            for decision in decisions { #expect(text.count { $0.contains(decision) } == 1) }
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: gateway.directory)
            #expect(run.status == 0, "\(run)")
        }

        @Test("an order to stop, while another process takes over, is the first one: nothing is cut")
        func stopWhileTakenOver() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            let latch = Latch()
            fixture.origin.play { _ in
                .afterBody { _ in [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")] }
            }
            let client = try gateway.connect()
            client.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.origin.requests.count == 1 })
            gateway.signal(SIGUSR2)
            let new = try successor(gateway)
            #expect(says(gateway, "Draining."))
            gateway.terminate()
            kill(new.pid, SIGTERM)
            #expect(eventually { !new.isRunning })
            #expect(gateway.isRunning)
            latch.open()
            #expect(client.answer()?.text == "ok")
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
        }

        @Test("a new process that cannot start changes nothing, and the next one can take over")
        func failure() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            try gateway.rewrite(text: Array("{ not json".utf8))
            gateway.signal(SIGUSR2)
            #expect(says(gateway, "this one goes on"))
            #expect(gateway.standardError.contains("exit status 78"))
            #expect(try gateway.get("/public/x")?.status == 200)
            #expect(gateway.readiness == 200)
            try gateway.rewrite(Configuration.contract(fixture.origin))
            gateway.signal(SIGUSR2)
            let new = try successor(gateway, 2)
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
            #expect(new.isRunning)
            #expect(try gateway.get("/public/x")?.status == 200)
            #expect(gateway.readiness == 200)
        }

        @Test("a second gateway with the same places is refused, whatever it writes")
        func second() throws {
            let fixture = try Fixture()
            try fixture.gateway.rewrite(
                Configuration.contract(fixture.origin).merging(["audit": ["enabled": false]]))
            let run = try GatewayProcess.run(["serve", "--config", "gateway.json"], in: fixture.gateway.directory)
            #expect(run.status != 0)
            #expect(run.errors.contains("listener \"public\" cannot listen"), "\(run.errors)")
            let elsewhere: Literal = ["name": "public", "address": "127.0.0.1:0"]
            try fixture.gateway.rewrite(
                Configuration.contract(fixture.origin).merging([
                    "audit": ["enabled": false], "listeners": [elsewhere],
                ]))
            let again = try GatewayProcess.run(["serve", "--config", "gateway.json"], in: fixture.gateway.directory)
            #expect(again.errors.contains("listener \"admin\" cannot listen"), "\(again.errors)")
        }
    }
}
