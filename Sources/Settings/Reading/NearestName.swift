/// The name among `candidates` that `name` was probably meant to be, or nil when none is close.
///
/// Close is a third of the letters changed at most, case set aside; of one or two letters none may change. Names are cut at 64 bytes, which bounds the
/// work; ties go to the earlier candidate.
func nearestName(to name: String, among candidates: some Sequence<String>) -> String? {
    let wanted = lowercased(name)
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let distance = editDistance(wanted, lowercased(candidate))
        if distance < best?.distance ?? Int.max { best = (distance, candidate) }
    }
    guard let best, best.distance <= (wanted.count < 3 ? 0 : max(1, wanted.count / 3)) else { return nil }
    return best.name
}

/// The sentence that ends a message about an unknown name: the nearest one, or those that exist.
func suggestion(for name: String, among candidates: [String], none: String) -> String {
    if candidates.isEmpty { return none }
    if let nearest = nearestName(to: name, among: candidates) { return "did you mean \"\(nearest)\"?" }
    let shown = candidates.prefix(24).map { "\"\($0)\"" }.joined(separator: ", ")
    return candidates.count > 24 ? "known are \(shown) and \(candidates.count - 24) more" : "known are \(shown)"
}

private func lowercased(_ text: String) -> [UInt8] {
    text.utf8.prefix(64).map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
}

/// Insertions, deletions, replacements and swaps of neighbours each count one (optimal string alignment).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforePrevious = [Int](repeating: 0, count: right.count + 1)
    var previous = Array(0...right.count)
    for i in left.indices {
        var current = [i + 1]
        for j in right.indices {
            var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                cost = min(cost, beforePrevious[j - 1] + 1)
            }
            current.append(cost)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[right.count]
}
