import NIOConcurrencyHelpers
import Reactor
import Synchronization
import TestKit
import Testing

@testable import Upstream

/// What a resolver says, and how often it was asked.
private final class Names: Sendable {
    let addresses: NIOLockedValueBox<[String]>
    let lookups = Atomic<Int>(0)

    init(_ addresses: [String]) {
        self.addresses = NIOLockedValueBox(addresses)
    }

    var resolver: NameResolver {
        NameResolver(
            lookup: { _, port in
                self.lookups.add(1, ordering: .relaxed)
                return self.addresses.withLockedValue { $0 }.compactMap { StreamAddress(literal: $0, port: port) }
            }, run: { $0() })
    }
}

@Suite struct EndpointConnectingTests {
    private let second: Int64 = 1_000_000_000

    private typealias Bound = ReactorBound<EndpointConnecting>

    private func connecting(_ host: String, _ port: Int, _ names: Names, on handle: ReactorHandle) async -> Bound {
        let settings = UpstreamSettings(
            name: "u", endpoints: [Endpoint(host: host, port: port)], resolveEvery: 30 * second)
        return await handle.submit { ReactorBound(EndpointConnecting(settings, $0, names.resolver), on: $0) }
    }

    private func connect(_ bound: Bound, on handle: ReactorHandle) async -> ReactorBound<UpstreamConnection>? {
        let second = second
        return await withCheckedContinuation { continuation in
            handle.execute { reactor in
                bound.value(on: reactor)?.connect(0, timeout: 10 * second, pool: nil) { outcome in
                    switch outcome {
                    case .success(let connection):
                        continuation.resume(returning: ReactorBound(connection, on: reactor))
                    case .failure: continuation.resume(returning: nil)
                    }
                }
            }
        }
    }

    /// Lets the time for another lookup come; whether the endpoint has moved, and the connection still leads to it.
    private func refresh(
        _ bound: Bound, _ connection: ReactorBound<UpstreamConnection>, on handle: ReactorHandle
    ) async -> (moved: Bool, isCurrent: Bool) {
        let moved = NIOLockedValueBox(false)
        let second = second
        return await withCheckedContinuation { continuation in
            handle.execute { reactor in
                bound.value(on: reactor)?.refreshNames(now: reactor.now + 30 * second) { _ in
                    moved.withLockedValue { $0 = true }
                }
                // The resolver answers in a task of its own, which is before this one.
                reactor.handle.execute { reactor in
                    let isCurrent = connection.value(on: reactor).flatMap { bound.value(on: reactor)?.isCurrent($0) }
                    continuation.resume(returning: (moved.withLockedValue { $0 }, isCurrent ?? false))
                }
            }
        }
    }

    @Test func anAddressThatRefusesIsFollowedByTheNext() async throws {
        let handle = try ReactorHandle(name: "test")
        let origin = try RawOrigin()
        let bound = await connecting("a.test", origin.port, Names(["127.0.0.2", "127.0.0.1"]), on: handle)
        let connection = try #require(await connect(bound, on: handle))
        #expect(await handle.submit { connection.value(on: $0)?.host } == "127.0.0.1")
        let lost = await connecting("b.test", origin.port, Names([]), on: handle)
        #expect(await connect(lost, on: handle) == nil)
        handle.join()
        origin.stop()
    }

    @Test func aNameIsFollowedWhereItGoesAndAFailedLookupChangesNothing() async throws {
        let handle = try ReactorHandle(name: "test")
        let origin = try RawOrigin()
        let names = Names(["127.0.0.1"])
        let bound = await connecting("a.test", origin.port, names, on: handle)
        let connection = try #require(await connect(bound, on: handle))
        names.addresses.withLockedValue { $0 = [] }
        #expect(await refresh(bound, connection, on: handle) == (false, true))
        names.addresses.withLockedValue { $0 = ["127.0.0.2", "127.0.0.1"] }
        #expect(await refresh(bound, connection, on: handle) == (true, true))
        names.addresses.withLockedValue { $0 = ["127.0.0.2"] }
        #expect(await refresh(bound, connection, on: handle) == (true, false))
        #expect(names.lookups.load(ordering: .relaxed) == 4)
        handle.join()
        origin.stop()
    }

    @Test func aLiteralIsNeverLookedUp() async throws {
        let handle = try ReactorHandle(name: "test")
        let origin = try RawOrigin()
        let names = Names(["127.0.0.2"])
        let bound = await connecting("127.0.0.1", origin.port, names, on: handle)
        let connection = try #require(await connect(bound, on: handle))
        #expect(await refresh(bound, connection, on: handle) == (false, true))
        #expect(names.lookups.load(ordering: .relaxed) == 0)
        handle.join()
        origin.stop()
    }
}
