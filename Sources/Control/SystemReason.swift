import Glibc

/// What the system says about an error number.
func systemReason(_ code: Int32) -> String {
    // Unsafe: the text is valid until the next call on this thread; it is copied here.
    unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
}
