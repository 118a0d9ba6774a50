import Glibc

/// Writes all bytes to a descriptor. What cannot be written is dropped; returns whether nothing was.
@discardableResult
package func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { bytes in
            // The kernel reads the bytes within the call and keeps no pointer.
            unsafe write(descriptor, bytes.baseAddress, bytes.count)
        }
        if count > 0 {
            rest = rest.dropFirst(count)
        } else if errno != EINTR {
            return false
        }
    }
    return true
}
