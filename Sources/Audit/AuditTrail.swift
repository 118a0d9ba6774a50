import Glibc

/// The newest file of a trail and the way to the next one: opening, recovering, rotating, and exact offsets.
///
/// Belongs to one thread. Every write goes to a known offset, so that a write that failed half way is continued at the
/// very byte it stopped at.
final class AuditTrail {
    let directory: AuditDirectory
    private let lock: AuditDescriptor
    private let family: AuditDescriptor
    /// What this writer leaves in the lock's file, so that it knows whether another has been there since.
    /// Bytes, at most `maximumMark`.
    private let mark = Array("writer \(UInt64.random(in: .min ... .max))".utf8)
    private static let maximumMark = 32
    /// Whether no other writer can touch the files.
    private var isLocked = false
    /// Whether another writer's end could not be read so far.
    private var isRecovering = true
    private let calls: AuditFileCalls
    private let maximumFileBytes: Int64
    private var file: AuditDescriptor?
    private var name: AuditFileName?
    /// Bytes of the open file, which is also where the next write goes.
    private(set) var fileSize: Int64 = 0
    /// Bytes written since the last successful fsync.
    private(set) var unsyncedBytes: Int64 = 0

    /// What was found at the end of the files at start.
    struct Recovery: Equatable {
        var file: String
        var tornBytes: Int64
    }

    /// Joins those that write to the directory and opens the newest file. Returns the chain to go on with and the torn lines
    /// cut off. Waits for other writers at most `patience` milliseconds.
    static func open(
        _ settings: AuditSettings, patience: Int32, calls: AuditFileCalls
    ) throws(AuditError) -> (trail: AuditTrail, chain: AuditChain, recoveries: [Recovery]) {
        let directory = AuditDirectory(path: settings.directory)
        try directory.create()
        let flags = O_RDWR | O_CREAT
        let family = try AuditDescriptor(path: directory.familyLock, flags: flags, mode: 0o640)
        // Whoever is there keeps strangers out, and lets successors in.
        if !settings.isSuccessor {
            try take(family, LOCK_EX, directory, path: directory.familyLock, patience: 0)
        }
        try take(family, LOCK_SH, directory, path: directory.familyLock, patience: 0)
        let trail = AuditTrail(
            directory: directory,
            lock: try AuditDescriptor(path: directory.batchLock, flags: flags, mode: 0o640), family: family,
            calls: calls, maximumFileBytes: settings.maximumFileBytes)
        guard let found = try trail.enter(patience: patience) else { return (trail, AuditChain(), []) }
        trail.leave()
        return (trail, found.chain, found.recoveries)
    }

    private init(
        directory: AuditDirectory, lock: consuming AuditDescriptor, family: consuming AuditDescriptor,
        calls: AuditFileCalls, maximumFileBytes: Int64
    ) {
        self.directory = directory
        self.lock = lock
        self.family = family
        self.calls = calls
        self.maximumFileBytes = maximumFileBytes
    }

    /// The open file, or the directory where the next one is to be.
    var place: String {
        guard file != nil, let name else { return directory.path }
        return directory.path(of: name)
    }

    // MARK: Sharing

    private static func take(
        _ file: borrowing AuditDescriptor, _ kind: Int32, _ directory: AuditDirectory, path: String, patience: Int32
    ) throws(AuditError) {
        var left = patience
        while flock(file.number, kind | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw .system(operation: "flock", path: path, code: errno)
            }
            guard left > 0 else { throw .directoryInUse(path: directory.path) }
            _ = poll(nil, 0, 1)
            left -= 1
        }
    }

    /// What another writer has left.
    struct Change {
        var chain: AuditChain
        var recoveries: [Recovery]
        /// Bytes of the file that was written before, of which nobody knows whether they are on the disk.
        var unsynced: Int64
    }

    /// Takes the directory for a batch. Where another writer has been there meanwhile, what to go on with; nil where
    /// everything is as it was left.
    ///
    /// Waits for the other at most `patience` milliseconds; throws `directoryInUse` then.
    func enter(patience: Int32) throws(AuditError) -> Change? {
        guard !isLocked else { return nil }
        try Self.take(lock, LOCK_EX, directory, path: directory.batchLock, patience: patience)
        isLocked = true
        do throws(AuditError) {
            let last = try lock.read(count: Self.maximumMark, offset: 0, path: directory.batchLock)
            guard last != mark || isRecovering else { return nil }
            isRecovering = true
            // What was written here is not lost sight of with the file: the other may have begun the next one.
            let doubtful = unsyncedBytes
            let unsynced = sync() == 0 ? 0 : doubtful
            let (chain, recoveries) = try recover()
            // Unsafe: reads the array during the call. A mark that is shorter than the one before must not end like it.
            guard ftruncate(lock.number, 0) == 0, unsafe pwrite(lock.number, mark, mark.count, 0) == mark.count else {
                throw .system(operation: "write", path: directory.batchLock, code: errno)
            }
            isRecovering = false
            return Change(chain: chain, recoveries: recoveries, unsynced: unsynced)
        } catch {
            leave()
            throw error
        }
    }

    /// Lets another writer have the directory. Nothing may be half written.
    func leave() {
        guard isLocked, flock(lock.number, LOCK_UN) == 0 else { return }
        isLocked = false
    }

    private func recover() throws(AuditError) -> (AuditChain, [Recovery]) {
        var recoveries: [Recovery] = []
        var isNewest = true
        for name in try directory.list().reversed() {
            let path = directory.path(of: name)
            let descriptor = try AuditDescriptor(path: path, flags: O_RDWR)
            let size = try descriptor.size(path: path)
            let (last, torn): (SealedLine?, Int64)
            switch try descriptor.scanTail(path: path) {
            case .record(let line, let tornBytes): (last, torn) = (line, tornBytes)
            case .none(let tornBytes): (last, torn) = (nil, tornBytes)
            case .unreadable(let offset): throw .unreadableTail(path: path, offset: offset)
            }
            if torn > 0 {
                // Cut before anything is appended: the chain goes on from the last whole line.
                guard ftruncate(descriptor.number, off_t(size - torn)) == 0, fsync(descriptor.number) == 0 else {
                    throw .system(operation: "ftruncate", path: path, code: errno)
                }
                recoveries.append(Recovery(file: name.text, tornBytes: torn))
            }
            if isNewest {
                self.name = name
                file = consume descriptor
                fileSize = size - torn
                // Nobody knows what the process before had synced.
                unsyncedBytes = fileSize
                isNewest = false
            }
            if let last { return (AuditChain(after: last), recoveries) }
        }
        return (AuditChain(), recoveries)
    }

    /// Whether `count` more bytes after `waiting` others still belong into the open file.
    func hasRoom(for count: Int, after waiting: Int) -> Bool {
        let used = fileSize + Int64(waiting)
        return used == 0 || used + Int64(count) <= maximumFileBytes || name?.number == AuditFileName.maximumNumber
    }

    /// Whether the open file belongs to a day before this one. A clock that went back changes nothing.
    func isOutdated(onDay day: Int64) -> Bool {
        guard let name else { return false }
        return name.stamp < AuditFileName(day: day, number: 1).stamp
    }

    /// Closes the open file, which should have been synced; the next write opens the next one.
    func rotate() {
        file = nil
        fileSize = 0
    }

    /// Writes bytes at the end of the newest file: how many, or a negative errno.
    func write(_ bytes: RawSpan, day: Int64) -> Int {
        if file == nil {
            let result = openNext(day: day)
            if result != 0 { return result }
        }
        guard let number = file?.number else { return -Int(EBADF) }
        var count: Int
        repeat { count = calls.write(number, bytes, fileSize) } while count == -Int(EINTR)
        // A device that takes nothing and reports nothing is full.
        guard count != 0 else { return -Int(ENOSPC) }
        if count > 0 {
            fileSize += Int64(count)
            unsyncedBytes += Int64(count)
        }
        return count
    }

    /// Brings what was written to the disk: 0 or a negative errno.
    func sync() -> Int {
        guard unsyncedBytes > 0, let number = file?.number else { return 0 }
        let result = calls.sync(number)
        if result == 0 { unsyncedBytes = 0 }
        return result
    }

    private func openNext(day: Int64) -> Int {
        var next = AuditFileName(day: day, number: 1)
        if let name, name.stamp >= next.stamp {
            next = AuditFileName(stamp: name.stamp, number: name.number + 1)
        }
        while next.number <= AuditFileName.maximumNumber {
            do {
                file = try AuditDescriptor(
                    path: directory.path(of: next), flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o640)
                name = next
                fileSize = 0
                directory.sync()
                return 0
            } catch {
                guard case .system(_, _, let code) = error else { return -Int(EIO) }
                // Somebody put a file of that name there while we were running: the next number is ours.
                if code != EEXIST { return -Int(code) }
                next.number += 1
            }
        }
        return -Int(EEXIST)
    }
}
