import ArgumentParser
import Audit
import Control
import Dispatch
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
            way are finished within limits.drainTimeout, and the process ends with exit code 0. A second signal \
            cuts what is under way, on record, and ends the process with exit code 1, within two seconds.

            SIGHUP reads the configuration again. A new one takes effect for the next request on every connection; \
            one with errors is reported in full and the old one stays. listeners, admin, workers, audit, logging and \
            rateLimit.maximumClients need a restart. The file of `tollgate token` and those of certificates are looked \
            at each second by themselves.

            SIGUSR2 starts the program anew, from the file its name leads to by then, with the listening sockets of \
            this process. Once the new one is ready this one drains and ends, and no connection is refused; if the new \
            one does not become ready, nothing changes. Sockets that systemd hands over (LISTEN_FDS) are taken likewise.
            """)

    @OptionGroup var configuration: ConfigurationOption

    func run() async throws {
        let events = ServeEvents()
        let signals = ProcessSignals(
            onStop: { events.note { $0.stops += 1 } }, onReload: { events.note { $0.reloads = true } },
            onReplace: { events.note { $0.replaces = true } })
        FileDescriptors.raiseLimit()
        let plan = try configuration.load()
        let gateway = try await start(plan)
        let watch = FileWatch(
            paths: { [gateway.plan.settings.tokens.file] + gateway.plan.certificateFiles },
            onChange: { changed in
                let tokens = gateway.plan.settings.tokens.file
                events.note { pending in
                    for path in changed {
                        let isTokens = path.utf8.elementsEqual(tokens.utf8)
                        if isTokens { pending.rereadsTokens = true } else { pending.rereadsCertificates = true }
                    }
                }
            })
        var stopping: Task<Void, Never>?
        var successor: Successor?
        var orders = 0
        var isHastened = false
        func stop(for successor: Successor?) {
            stopping = Task {
                await gateway.stop(successor: successor)
                events.finish()
            }
        }
        for await _ in events.wakes {
            let pending = events.take()
            if pending.stops > 0 {
                // The second time is meant; a stop that another process brought about was nobody's order.
                orders += pending.stops
                if stopping == nil {
                    successor?.cancel()
                    stop(for: nil)
                }
                if orders > 1, !isHastened {
                    isHastened = true
                    gateway.abandon()
                    // Whatever holds the end up, a disk that answers nothing say: no thread of the tasks is needed for this.
                    DispatchQueue.global().asyncAfter(deadline: .now() + Self.lastPatience) { _exit(EXIT_FAILURE) }
                }
            }
            switch pending.news {
            case .nothing: break
            case .ready: if stopping == nil { stop(for: successor) }
            case .ended(let end):
                successor = nil
                if stopping == nil { gateway.lostSuccessor(end) }
            }
            if pending.replaces {
                if stopping == nil, successor == nil {
                    successor = gateway.startSuccessor()
                    if let successor { follow(successor) { news in events.note { $0.news = news } } }
                } else {
                    gateway.declineSuccessor()
                }
            }
            if pending.reloads { await gateway.reload() }
            if pending.rereadsTokens { await gateway.reloadTokens() }
            if pending.rereadsCertificates { await gateway.reloadCertificates() }
        }
        await stopping?.value
        watch.stop()
        // Alive until here: a signal during the drain has to be seen.
        withExtendedLifetime(signals) {}
        if isHastened { throw ExitCode.failure }
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
            for look in 1... {
                switch successor.news() {
                case .nothing: try? await Task.sleep(for: Self.look)
                case .ready: return tell(.ready)
                case .ended(let end): return tell(.ended(end))
                }
                if look == Self.maximumLooks { successor.kill() }
            }
        }
    }

    /// A process that has not become ready after as many is ended.
    private static let maximumLooks = 600

    /// From the second signal to the end, at most.
    private static let lastPatience = DispatchTimeInterval.seconds(2)

    /// Between two looks at whether another process is still there.
    private static let look = Duration.milliseconds(100)

    private func start(_ plan: Plan) async throws -> RunningGateway {
        // Let go of here: a socket that no listener has taken must not stay open.
        let inheritance = Inheritance.take()
        do {
            let gateway = try await RunningGateway.start(plan, file: configuration.file, inheritance: inheritance)
            ServiceManager.ready()
            if let predecessor = inheritance.predecessor { relieve(predecessor, for: gateway) }
            return gateway
        } catch let failure as Plan.Failure {
            throw ConfigurationOption.refuse(failure, file: configuration.file)
        }
    }
}
