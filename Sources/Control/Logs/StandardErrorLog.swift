package import Logging
import StrictJSON

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Writes one line a message to standard error, as text for people or as JSON for collectors.
///
/// Whatever a message quotes, no control character reaches the terminal or splits a line.
package struct StandardErrorLog: LogHandler {
    package enum Format: String, Sendable, CaseIterable { case text, json }

    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let label: String
    private let format: Format
    private let now: @Sendable () -> String
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameters:
    ///   - now: the time as RFC 3339 text.
    ///   - write: takes one whole line with its end.
    package init(
        label: String, format: Format, level: Logger.Level, now: @escaping @Sendable () -> String = currentTime,
        write: @escaping @Sendable ([UInt8]) -> Void = { Control.write($0, to: STDERR_FILENO) }
    ) {
        self.label = label
        self.format = format
        self.logLevel = level
        self.now = now
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let members = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        write(line(event, members))
    }

    private func line(_ event: LogEvent, _ members: [(key: String, value: Logger.MetadataValue)]) -> [UInt8] {
        var line: [UInt8]
        switch format {
        case .json:
            var writer = JSONWriter()
            writer.object { object in
                object.member("time", now())
                object.member("level", event.level.rawValue)
                object.member("logger", label)
                object.member("message", "\(event.message)")
                for (key, value) in members { object.member(key, "\(value)") }
            }
            line = writer.finish()
        case .text:
            line = Array("\(now()) \(event.level.rawValue) ".utf8)
            appendPrintable("\(event.message)", to: &line)
            for (key, value) in members {
                line += " \(key)=".utf8
                JSONWriter.appendQuoted("\(value)".utf8, to: &line)
            }
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }
}

/// Appends text with its control characters written as Swift would write them.
private func appendPrintable(_ text: String, to bytes: inout [UInt8]) {
    for scalar in text.unicodeScalars {
        if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
            bytes += "\\u{\(String(scalar.value, radix: 16))}".utf8
        } else {
            bytes += String(scalar).utf8
        }
    }
}
