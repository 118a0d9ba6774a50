import CLinux
import NIOCore

/// The cores of the machine that the calling thread can have.
package enum AvailableCores {
    /// How many loops can run at the same time: cores of the thread's affinity mask (taskset, a service manager's
    /// `CPUAffinity`), at most as many as its control group has or its quota amounts to. 1 or more.
    package static var count: Int {
        let ofGroup = System.coreCount
        let allowed = Int(tollgate_allowed_cores())
        return allowed > 0 ? min(allowed, ofGroup) : ofGroup
    }
}
