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
            """)

    @OptionGroup var configuration: ConfigurationOption

    private enum Event { case stop, reload, tokensChanged, certificatesChanged }

    func run() async throws {
        let (events, event) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(16))
        let signals = ProcessSignals(onStop: { event.yield(.stop) }, onReload: { event.yield(.reload) })
        FileDescriptors.raiseLimit()
        let plan = try configuration.load()
        let gateway = try await start(plan)
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
        for await next in events {
            switch next {
            case .reload: await gateway.reload()
            case .tokensChanged: await gateway.reloadTokens()
            case .certificatesChanged: await gateway.reloadCertificates()
            case .stop:
                // The second time is meant.
                guard stopping == nil else { _exit(EXIT_FAILURE) }
                stopping = Task {
                    await gateway.stop()
                    event.finish()
                }
            }
        }
        await stopping?.value
        watch.stop()
        // Alive until here: a signal during the drain has to be seen.
        withExtendedLifetime(signals) {}
    }

    private func start(_ plan: Plan) async throws -> RunningGateway {
        do {
            return try await RunningGateway.start(plan, file: configuration.file)
        } catch let failure as Plan.Failure {
            throw ConfigurationOption.refuse(failure, file: configuration.file)
        }
    }
}
