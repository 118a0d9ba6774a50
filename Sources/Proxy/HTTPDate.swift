import Glibc

/// Instants as HTTP writes them (RFC 9110 §5.6.7, IMF-fixdate).
enum HTTPDate {
    /// `Sun, 06 Nov 1994 08:49:37 GMT`; empty for years before 1900 and after 9999.
    static func text(ofUnixSecond second: Int64) -> [UInt8] {
        var time = time_t(second)
        // Unsafe: the structure holds a pointer to the name of its zone, which is not looked at.
        var parts = unsafe tm()
        guard unsafe gmtime_r(&time, &parts) != nil, (0...8099).contains(unsafe parts.tm_year) else { return [] }
        // 29 bytes and the NUL. The names are English, because nothing here sets a locale.
        var text = [CChar](repeating: 0, count: 32)
        // Unsafe: writes at most as many bytes as the array has.
        let count = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return text.prefix(count).map { UInt8(bitPattern: $0) }
    }
}
