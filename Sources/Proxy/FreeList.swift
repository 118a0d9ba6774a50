/// What nobody needs now and somebody will need again: the one that was used last comes first.
///
/// It holds as many as were needed at a time in the last seconds: what was not is let go of by `trim`, little by little, so that
/// a load that wavers finds all it needs.
struct FreeList<Element> {
    /// So many are kept although nobody asks for them.
    let fewest: Int
    private var elements: [Element] = []
    /// The fewest there were since `trim`: so many were not needed.
    private var unneeded = 0

    init(fewest: Int) {
        self.fewest = fewest
    }

    var count: Int { elements.count }

    /// Constant time.
    mutating func take() -> Element? {
        let element = elements.popLast()
        unneeded = min(unneeded, elements.count)
        return element
    }

    /// Constant time.
    mutating func add(_ element: consuming Element) {
        elements.append(element)
    }

    /// Lets go of an eighth of those that nobody has needed since the last call. Linear.
    mutating func trim() {
        elements.removeFirst(max(0, min((unneeded + 7) / 8, elements.count - fewest)))
        unneeded = elements.count
    }

    mutating func removeAll() {
        elements = []
    }
}
