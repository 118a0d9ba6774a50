import Glibc

/// Runs one operation many times and says what one of them costs: CPU nanoseconds and allocations.
struct Stopwatch {
    /// What one operation costs.
    struct Cost {
        /// CPU nanoseconds of the calling thread, the median of the batches.
        let nanoseconds: Double
        /// The same of the fastest batch: what the operation costs when nothing disturbs it.
        let fastest: Double
        /// Calls of malloc and its kin; nil when the counter is not preloaded.
        let allocations: Double?
    }

    private let counter: (@convention(c) () -> UInt64)?
    private let batches: Int
    private let iterations: Int

    init(batches: Int = 31, iterations: Int = 20_000) {
        self.batches = batches
        self.iterations = iterations
        // Unsafe: the symbol is mallocs.c's, with exactly this signature; absent when it is not preloaded.
        let symbol = unsafe dlsym(nil, "mallocs_allocations")
        // Unsafe: as above.
        counter = unsafe symbol.map { unsafe unsafeBitCast($0, to: (@convention(c) () -> UInt64).self) }
    }

    /// Measures `operation`; `between` runs unmeasured before each batch.
    func cost(between: () -> Void = {}, of operation: (Int) -> Void) -> Cost {
        var times: [Double] = []
        var allocations: UInt64 = 0
        for index in 0..<iterations { operation(index) }
        for _ in 0..<batches {
            between()
            let before = counter?() ?? 0
            let start = Stopwatch.now()
            for index in 0..<iterations { operation(index) }
            let end = Stopwatch.now()
            allocations += (counter?() ?? 0) - before
            times.append(Double(end - start) / Double(iterations))
        }
        times.sort()
        return Cost(
            nanoseconds: times[times.count / 2], fastest: times[0],
            allocations: counter == nil ? nil : Double(allocations) / Double(batches * iterations))
    }

    /// CPU time of this thread in nanoseconds: what other programs do on the machine is not in it.
    private static func now() -> Int64 {
        var time = timespec()
        // Unsafe: writes this one structure during the call.
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Keeps the optimiser from removing a computation whose result nobody uses.
@inline(never)
func keep<Value>(_ value: borrowing Value) where Value: ~Copyable {}
