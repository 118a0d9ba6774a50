import Glibc

/// Name of one file of a trail: `audit-YYYYMMDD-NNNN.jsonl`. Files are in order when their names are.
struct AuditFileName: Equatable, Comparable, Sendable {
    /// Most files of one day; the last one takes the rest of it, so that names keep sorting as text.
    static let maximumNumber = 9_999

    /// The UTC day, as the number YYYYMMDD.
    var stamp: Int
    /// From 1.
    var number: Int

    init(day: Int64, number: Int) {
        stamp = AuditTime.renderDay(day).reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
        self.number = number
    }

    init?(_ name: String) {
        let bytes = Array(name.utf8)
        guard bytes.count == 25, bytes.starts(with: "audit-".utf8), bytes[14] == UInt8(ascii: "-"),
            bytes[19...].elementsEqual(".jsonl".utf8), let stamp = AuditFileName.digits(bytes[6..<14]),
            let number = AuditFileName.digits(bytes[15..<19]), number > 0
        else { return nil }
        self.stamp = stamp
        self.number = number
    }

    init(stamp: Int, number: Int) {
        self.stamp = stamp
        self.number = number
    }

    var text: String {
        var bytes = Array("audit-".utf8)
        AuditTime.appendDigits(Int64(stamp), 8, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        AuditTime.appendDigits(Int64(number), 4, to: &bytes)
        bytes.append(contentsOf: ".jsonl".utf8)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The UTC day, counted from 1970-01-01.
    var day: Int64 {
        AuditTime.day(
            of: AuditTime.CivilDate(
                year: Int64(stamp / 10_000), month: Int64(stamp / 100 % 100), day: Int64(stamp % 100)))
    }

    static func < (left: AuditFileName, right: AuditFileName) -> Bool {
        (left.stamp, left.number) < (right.stamp, right.number)
    }

    private static func digits(_ bytes: ArraySlice<UInt8>) -> Int? {
        var value = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }
}

/// An open file that closes itself.
struct AuditDescriptor: ~Copyable {
    let number: Int32

    /// open(2) with close-on-exec; a symbolic link in the last place is refused.
    init(path: String, flags: Int32, mode: mode_t = 0) throws(AuditError) {
        var number: Int32
        repeat {
            // Unsafe: the path is a C string during the call.
            number = unsafe open(path, flags | O_CLOEXEC | O_NOFOLLOW, mode)
        } while number < 0 && errno == EINTR
        guard number >= 0 else { throw .system(operation: "open", path: path, code: errno) }
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Bytes of the file now.
    func size(path: String) throws(AuditError) -> Int64 {
        var status = stat()
        // Unsafe: fstat fills this one structure during the call.
        guard unsafe fstat(number, &status) == 0 else {
            throw .system(operation: "fstat", path: path, code: errno)
        }
        return Int64(status.st_size)
    }

    /// Up to `count` bytes from `offset`; fewer only at the end of the file.
    func read(count: Int, offset: Int64, path: String) throws(AuditError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            // Unsafe: pread writes inside the array, at most up to its end, during the closure.
            let length = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(
                    number, buffer.baseAddress.map { unsafe $0 + filled }, count - filled, off_t(offset) + filled)
            }
            if length < 0 {
                if errno == EINTR { continue }
                throw .system(operation: "read", path: path, code: errno)
            }
            if length == 0 { break }
            filled += length
        }
        bytes.removeLast(count - filled)
        return bytes
    }
}

/// A directory of audit files.
struct AuditDirectory: Sendable {
    let path: String

    func path(of name: AuditFileName) -> String { "\(path)/\(name.text)" }

    /// Makes the directory and its missing parents with mode 0750.
    func create() throws(AuditError) {
        var end = path.startIndex
        repeat {
            end = path[end...].dropFirst().firstIndex(of: "/") ?? path.endIndex
            let prefix = String(path[..<end])
            // EEXIST says nothing about its being a directory; opening the lock file in it does.
            // Unsafe: the path is a C string during the call.
            guard unsafe mkdir(prefix, 0o750) == 0 || errno == EEXIST || end != path.endIndex else {
                throw .system(operation: "mkdir", path: prefix, code: errno)
            }
        } while end != path.endIndex
    }

    /// Whether the directory is there or could be made, as far as names go: what already has its name, or that of one
    /// above it, has to be a directory.
    func check() throws(AuditError) {
        var end = path.endIndex
        while true {
            let prefix = String(path[..<end])
            var status = stat()
            // Unsafe: the path is a C string during the call, which fills this one structure.
            if unsafe stat(prefix, &status) == 0 {
                guard status.st_mode & S_IFMT == S_IFDIR else {
                    throw .system(operation: "mkdir", path: prefix, code: ENOTDIR)
                }
                return
            }
            guard errno == ENOENT || errno == ENOTDIR else {
                throw .system(operation: "stat", path: prefix, code: errno)
            }
            guard let slash = path[..<end].lastIndex(of: "/"), slash > path.startIndex else { return }
            end = slash
        }
    }

    /// Of the file whose lock is taken for each batch.
    var batchLock: String { "\(path)/.lock" }

    /// Of the file whose lock is shared by the processes that take over from one another.
    var familyLock: String { "\(path)/.family" }

    /// The audit files, oldest first. Other names are none of ours.
    func list() throws(AuditError) -> [AuditFileName] {
        // Unsafe: the stream is used by this call alone and closed below.
        guard let stream = unsafe opendir(path) else {
            throw .system(operation: "opendir", path: path, code: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [AuditFileName] = []
        // Unsafe: an entry is valid until the next readdir; its name is a C string within the entry and copied here.
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let file = AuditFileName(name) { names.append(file) }
        }
        return names.sorted()
    }

    /// Makes new names in the directory survive a loss of power.
    func sync() {
        // A file system that cannot sync directories says EINVAL; the files' own fsync is checked where it is called.
        if let descriptor = try? AuditDescriptor(path: path, flags: O_RDONLY | O_DIRECTORY) {
            _ = fsync(descriptor.number)
        }
    }
}
