/// Something with one deadline, which it moves with every event.
protocol Deadlined: AnyObject {
    /// Monotonic nanoseconds; `Int64.max` for none.
    var deadline: Int64 { get }
    /// Where the wheel has it; only the wheel writes it.
    var wheelPlace: WheelPlace { get set }
    func deadlinePassed(now: Int64)
}

/// An entry's place on the wheel; nowhere to begin with.
struct WheelPlace {
    /// The tick at which the wheel will look at it next; `Int64.max` while it is not on the wheel.
    fileprivate(set) var tick = Int64.max
    fileprivate var index = 0
}

/// The deadlines of all connections of one loop, looked at lazily.
///
/// Moving a deadline later, which every request does, is a plain store in the connection: the wheel notices when its
/// slot comes up and moves the entry on. No timer is made, cancelled or searched for on the path of a request.
struct DeadlineWheel {
    /// Nanoseconds of a slot. A deadline passes at most two of these late if it lay further ahead than the next look when it
    /// was noted.
    static let interval: Int64 = 4_000_000
    private static let slotCount: Int64 = 4096

    private var slots: [[any Deadlined]]
    private var current: Int64

    init(now: Int64) {
        self.slots = [[any Deadlined]](repeating: [], count: Int(Self.slotCount))
        self.current = now / Self.interval
    }

    /// Takes note of a connection's deadline. Constant time, and nothing at all unless it lies before the next look.
    mutating func note(_ entry: any Deadlined) {
        guard entry.deadline != .max else { return }
        let tick = min(entry.deadline / Self.interval + 1, current + Self.slotCount - 1)
        guard tick < entry.wheelPlace.tick else { return }
        forget(entry)
        insert(entry, at: max(tick, current + 1))
    }

    /// Lets go of an entry, which is not kept alive any longer. Constant time.
    mutating func forget(_ entry: any Deadlined) {
        let place = entry.wheelPlace
        guard place.tick != .max else { return }
        entry.wheelPlace.tick = .max
        let slot = Int(place.tick % Self.slotCount)
        guard let last = slots[slot].popLast(), last !== entry else { return }
        slots[slot][place.index] = last
        last.wheelPlace.index = place.index
    }

    /// Time passed: the entries whose deadline is over. They are off the wheel until they are noted again, which the
    /// caller does after telling them, so that nobody moves a deadline while the wheel is walked.
    mutating func due(now: Int64) -> [any Deadlined] {
        var due: [any Deadlined] = []
        let target = now / Self.interval
        while current < target {
            current += 1
            let index = Int(current % Self.slotCount)
            guard !slots[index].isEmpty else { continue }
            let entries = slots[index]
            slots[index].removeAll(keepingCapacity: true)
            for entry in entries {
                entry.wheelPlace.tick = .max
                if entry.deadline <= now { due.append(entry) } else { note(entry) }
            }
        }
        return due
    }

    /// When the first slot that holds an entry is to be looked at, in monotonic nanoseconds, if that is before `end`. Linear in
    /// the slots between.
    func nextLook(before end: Int64) -> Int64? {
        let last = min((end - 1) / Self.interval, current + Self.slotCount)
        var tick = current + 1
        while tick <= last {
            if !slots[Int(tick % Self.slotCount)].isEmpty { return tick * Self.interval }
            tick += 1
        }
        return nil
    }

    private mutating func insert(_ entry: any Deadlined, at tick: Int64) {
        let slot = Int(tick % Self.slotCount)
        entry.wheelPlace.tick = tick
        entry.wheelPlace.index = slots[slot].count
        slots[slot].append(entry)
    }
}
