import Foundation
import Glibc

/// A server in a process of its own (`tollgate demo-upstream`), which can be frozen and killed as a whole.
package final class OriginProcess: Sendable {
    package let port: Int
    private let directory: String
    private let processID: Int32

    /// Starts it and waits until it listens.
    package init() throws {
        port = try Socket.freePort()
        directory = try TemporaryDirectory.make()
        let process = try GatewayProcess.launch(
            ["demo-upstream", "--port", "\(port)"], directory: directory, environment: [:])
        processID = process.processIdentifier
        let port = port
        guard eventually(within: .seconds(30), { (try? Socket.connect(port: port)) != nil }) else {
            throw GatewayProcess.Failure(description: "the demo upstream did not listen")
        }
    }

    deinit {
        signal(SIGKILL)
        TemporaryDirectory.remove(directory)
    }

    /// Sends a signal to the process; `SIGSTOP` leaves its sockets to the kernel, which still takes connections.
    package func signal(_ number: Int32) { _ = Glibc.kill(processID, number) }
}
