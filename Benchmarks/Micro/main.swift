// Prints what each step of an admitted request costs by itself. Run by micro.py, which preloads the allocation counter.

let stopwatch = Stopwatch()

func report(_ name: String, _ cost: Stopwatch.Cost) {
    func column(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let rounded = (value * scale).rounded() / scale
        let text = "\(rounded)"
        return String(repeating: " ", count: max(0, 9 - text.count)) + text
    }
    let allocations = cost.allocations.map { column($0, 3) } ?? "        -"
    print(
        "\(column(cost.nanoseconds, 1)) \(column(cost.fastest, 1)) \(allocations)   \(name)")
}

print("ns median fastest  allocations")
measureWire(report, stopwatch)
try measureDecision(report, stopwatch)
measureCredentialCache(report, stopwatch)
try measureAudit(report, stopwatch)
