/// stub
package final class KeySource: Sendable {
    package init(initial: KeySet?, onUnknownKeyID: @escaping @Sendable () -> Void) {}
    package var current: KeySet? { nil }
    /// What publishing a key set did.
    package enum Change: Sendable, Equatable {
        /// The same keys as before.
        case unchanged
        /// Keys were added, none went: what was cached stays true.
        case added
        /// A key went or was replaced: cached admissions of this issuer must be invalidated.
        case removed
        /// The new set holds no usable key and was not taken.
        case refusedEmpty
    }
    @discardableResult package func publish(_ keys: KeySet) -> Change { .unchanged }
}
