import CLinux
import Glibc
import NIOConcurrencyHelpers

/// Why a reactor could not be made.
package struct ReactorError: Error, CustomStringConvertible, Sendable {
    package let call: String
    package let code: Int32

    package var description: String {
        // Unsafe: strerror gives a pointer to a C string that stands until the next call on this thread.
        let text = unsafe String(cString: strerror(code))
        return "\(call) failed: \(text)"
    }
}

/// A reactor as other threads see it: something to run closures on.
package final class ReactorHandle: Sendable {
    package typealias Task = @Sendable (Reactor) -> Void

    private struct Queue {
        var tasks: [Task] = []
        var hasEnded = false
    }

    private let queue = NIOLockedValueBox(Queue())
    private let wake: Int32
    private let poll: Int32
    private let thread = NIOLockedValueBox<pthread_t?>(nil)

    /// Makes the reactor and starts its thread.
    package init(name: String) throws(ReactorError) {
        let poll = tollgate_epoll_create()
        guard poll >= 0 else { throw ReactorError(call: "epoll_create1", code: -poll) }
        let wake = tollgate_eventfd()
        guard wake >= 0 else {
            close(poll)
            throw ReactorError(call: "eventfd", code: -wake)
        }
        self.poll = poll
        self.wake = wake
        try start(name)
    }

    deinit {
        close(wake)
        close(poll)
    }

    /// Runs the closure on the reactor's thread, after the present batch of events and after all that was queued before.
    /// Once the loop has ended the closure is dropped. The lock is held for an append; the reactor waits for it once per
    /// round.
    package func execute(_ task: @escaping Task) {
        let isFirst = queue.withLockedValue { queue in
            guard !queue.hasEnded else { return false }
            queue.tasks.append(task)
            return queue.tasks.count == 1
        }
        if isFirst { tollgate_eventfd_signal(wake) }
    }

    /// Runs the closure on the reactor's thread and gives back what it returns. Never after `join`: nothing would come.
    package func submit<Value: Sendable>(_ body: @escaping @Sendable (Reactor) -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            execute { continuation.resume(returning: body($0)) }
        }
    }

    /// Ends the loop, behind all that is queued, and waits for its thread.
    package func join() {
        execute { $0.stop() }
        let thread = self.thread.withLockedValue { thread in
            let running = thread
            thread = nil
            return running
        }
        if let thread { pthread_join(thread, nil) }
    }

    func takeTasks() -> [Task] {
        queue.withLockedValue { queue in
            guard !queue.tasks.isEmpty else { return [] }
            let taken = queue.tasks
            queue.tasks = []
            return taken
        }
    }

    /// The same, and no task is taken from now on.
    func takeLastTasks() -> [Task] {
        queue.withLockedValue { queue in
            queue.hasEnded = true
            let taken = queue.tasks
            queue.tasks = []
            return taken
        }
    }

    private func start(_ name: String) throws(ReactorError) {
        let body = ThreadBody(reactor: try Reactor(handle: self, poll: poll, wake: wake), name: name)
        var created = pthread_t()
        // Unsafe: the box is retained for the thread, which takes the reference over.
        let argument = unsafe Unmanaged.passRetained(body).toOpaque()
        let code = unsafe pthread_create(
            &created, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument)
        guard code == 0 else {
            unsafe Unmanaged<ThreadBody>.fromOpaque(argument).release()
            throw ReactorError(call: "pthread_create", code: code)
        }
        let thread = created
        self.thread.withLockedValue { $0 = thread }
    }
}

/// What a reactor's thread runs.
private final class ThreadBody {
    private let reactor: Reactor
    private let name: String

    init(reactor: Reactor, name: String) {
        self.reactor = reactor
        self.name = name
    }

    func run() {
        // Unsafe: reads the string during the call.
        unsafe tollgate_name_thread(name)
        reactor.run()
    }
}

/// The event bits of epoll that are used here.
enum Events {
    static let input: UInt32 = 0x001
    static let output: UInt32 = 0x004
    static let error: UInt32 = 0x008
    static let hangUp: UInt32 = 0x010
    static let peerEnded: UInt32 = 0x2000
    static let edge: UInt32 = 1 << 31
    /// Of several loops that watch one socket, not all are woken for one connection.
    static let exclusive: UInt32 = 1 << 28
}

/// A value that belongs to a reactor's thread and is carried past others: it can be had only where the reactor is.
///
/// `@unchecked`: the value is handed out only against the reactor it was bound to, which no other thread holds.
package struct ReactorBound<Value>: @unchecked Sendable {
    private let value: Value
    private let handle: ReactorHandle

    package init(_ value: Value, on reactor: Reactor) {
        self.value = value
        self.handle = reactor.handle
    }

    /// The value, where `reactor` is the one it was bound to.
    package func value(on reactor: Reactor) -> Value? {
        reactor.handle === handle ? value : nil
    }
}
