import ArgumentParser
import Audit
import Control
import Glibc
import Logging
import Proxy
import Settings

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the gateway.",
        discussion: """
            Runs until SIGTERM or SIGINT: then it takes no new connections, /health/ready turns 503, requests under \
            way are finished within limits.drainTimeout, and the process ends with exit code 0. A second signal ends \
            it at once.

            SIGHUP reads the configuration again. A new one takes effect for the next request on every connection; \
            one with errors is reported in full and the old one stays. listeners, admin, workers, audit, logging and \
            rateLimit.maximumClients need a restart. The file of `tollgate token` and those of certificates are looked \
            at each second by themselves.

            SIGUSR2 starts the program anew, from the file its name leads to by then, with the listening sockets of \
            this process. Once the new one is ready this one drains and ends, and no connection is refused; if the new \
            one does not become ready, nothing changes. Sockets that systemd hands over (LISTEN_FDS) are taken likewise.
            """)

    @OptionGroup var configuration: ConfigurationOption

    private enum Event {
        case stop, reload, replace, tokensChanged, certificatesChanged
        case successor(Successor.News)
    }

    func run() async throws {
        let inheritance = Inheritance.take()
        let (events, event) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(16))
        let signals = ProcessSignals(
            onStop: { event.yield(.stop) }, onReload: { event.yield(.reload) }, onReplace: { event.yield(.replace) })
        FileDescriptors.raiseLimit()
        let plan = try configuration.load()
        let gateway = try await start(plan, inheritance)
        ServiceManager.ready()
        if let predecessor = inheritance.predecessor { relieve(predecessor, for: gateway) }
        let watch = FileWatch(
            paths: { [gateway.plan.settings.tokens.file] + gateway.plan.certificateFiles },
            onChange: { changed in
                let tokens = gateway.plan.settings.tokens.file
                if changed.contains(where: { $0.utf8.elementsEqual(tokens.utf8) }) { event.yield(.tokensChanged) }
                if changed.contains(where: { !$0.utf8.elementsEqual(tokens.utf8) }) {
                    event.yield(.certificatesChanged)
                }
            })
        var stopping: Task<Void, Never>?
        var successor: Successor?
        func stop(for successor: Successor?) {
            stopping = Task {
                await gateway.stop(successor: successor)
                event.finish()
            }
        }
        for await next in events {
            switch next {
            case .reload: await gateway.reload()
            case .tokensChanged: await gateway.reloadTokens()
            case .certificatesChanged: await gateway.reloadCertificates()
            case .replace:
                // One at a time, and none that would outlive a stop.
                guard stopping == nil, successor == nil else { continue }
                successor = gateway.startSuccessor()
                if let successor { follow(successor) { event.yield(.successor($0)) } }
            case .successor(.ready):
                if stopping == nil { stop(for: successor) }
            case .successor(.ended(let end)):
                successor = nil
                if stopping == nil { gateway.lostSuccessor(end) }
            case .successor(.nothing):
                break
            case .stop:
                // The second time is meant.
                guard stopping == nil else { _exit(EXIT_FAILURE) }
                successor?.cancel()
                stop(for: nil)
            }
        }
        await stopping?.value
        watch.stop()
        // Alive until here: a signal during the drain has to be seen.
        withExtendedLifetime(signals) {}
    }

    /// Lets the process before go, and notices when it has gone.
    private func relieve(_ predecessor: Predecessor, for gateway: RunningGateway) {
        predecessor.relieve()
        Task {
            while predecessor.isThere { try? await Task.sleep(for: Self.look) }
            gateway.lostPredecessor()
        }
    }

    private func follow(_ successor: Successor, _ tell: @escaping @Sendable (Successor.News) -> Void) {
        Task {
            while true {
                switch successor.news() {
                case .nothing: try? await Task.sleep(for: Self.look)
                case .ready: return tell(.ready)
                case .ended(let end): return tell(.ended(end))
                }
            }
        }
    }

    /// Between two looks at whether another process is still there.
    private static let look = Duration.milliseconds(100)

    private func start(_ plan: Plan, _ inheritance: Inheritance) async throws -> RunningGateway {
        do {
            return try await RunningGateway.start(plan, file: configuration.file, inheritance: inheritance)
        } catch let failure as Plan.Failure {
            throw ConfigurationOption.refuse(failure, file: configuration.file)
        }
    }
}
