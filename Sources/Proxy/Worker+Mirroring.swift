extension Worker {
    /// Copies of requests of one loop that may be under way.
    static let maximumMirrored = 1024

    /// Whether one more copy of a request may be under way.
    var takesMirrored: Bool { mirrored.count < Self.maximumMirrored }

    func began(_ copy: MirroredRequest) { mirrored[ObjectIdentifier(copy)] = copy }

    func ended(_ copy: MirroredRequest) { mirrored[ObjectIdentifier(copy)] = nil }
}
