/// What the configuration may ask of the world: the environment and files. Arguments, so that tests need neither.
package struct Surroundings: Sendable {
    /// What came of reading a file.
    package enum File: Sendable {
        case bytes([UInt8])
        /// There is no file of that name.
        case missing
        /// It is there and cannot be read; the text says why, without the name.
        case unreadable(String)
    }

    /// The value of an environment variable, or nil when it is not set.
    package let environment: @Sendable (String) -> String?
    /// The contents of a file.
    package let readFile: @Sendable (String) -> File
    /// Unix seconds, for saying that a certificate has expired.
    package let now: @Sendable () -> Int64

    /// Surroundings that answer as these closures do.
    package init(
        environment: @escaping @Sendable (String) -> String?, readFile: @escaping @Sendable (String) -> File,
        now: @escaping @Sendable () -> Int64
    ) {
        self.environment = environment
        self.readFile = readFile
        self.now = now
    }
}
