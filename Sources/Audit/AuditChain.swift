import Crypto

/// The hash chain through an audit trail: turns rendered lines into sealed ones. A value, without I/O.
///
/// A sealed line is `BODY,"chain":"HEX"}` and a line feed, where BODY is the record from its `{` to the end of
/// `"seq":N`, and
///
///     HEX = lower-case hexadecimal of SHA-256( previous HEX as 64 ASCII bytes || BODY )
///
/// For the very first record of a trail the previous HEX is 64 times `0`. `seq` starts at 1 and grows by one a record.
/// Both run on through all files of a directory, in the order of their names. Anybody can check it:
///
/// ```python
/// import hashlib, pathlib, re, sys
/// previous, number = "0" * 64, 0
/// for file in sorted(pathlib.Path(sys.argv[1]).glob("audit-*.jsonl")):
///     for place, line in enumerate(file.open("rb"), 1):
///         body, _, end = line.rpartition(b',"chain":"')
///         previous = hashlib.sha256(previous.encode() + body).hexdigest()
///         number += 1
///         if end != previous.encode() + b'"}\n' or not body.endswith(b',"seq":%d' % number):
///             sys.exit(f"{file}:{place}: the chain is broken")
/// print(number, previous)
/// ```
///
/// What it shows: a line edited, removed, inserted or moved breaks the chain at that line. What it cannot show: that
/// the newest lines were cut off, or that the whole trail was written anew by somebody who owns the files. Against
/// that, keep the last `seq` and `chain` that `tollgate audit verify` prints somewhere else.
package struct AuditChain: Sendable, Equatable {
    /// Hexadecimal digits of a hash.
    package static let hashWidth = 64
    /// Most bytes that `seal` adds to a line: the two members, 20 digits, the brace and the line feed.
    package static let maximumSealBytes = 7 + 20 + 10 + hashWidth + 3

    /// Number of the last sealed record; 0 before the first.
    package private(set) var sequence: UInt64
    /// The last record's `chain`, 64 lower-case hexadecimal digits.
    package private(set) var hash: [UInt8]

    /// A chain before its first record.
    package init() {
        sequence = 0
        hash = [UInt8](repeating: UInt8(ascii: "0"), count: AuditChain.hashWidth)
    }

    /// A chain that goes on after a sealed line.
    package init(after last: SealedLine) {
        sequence = last.sequence
        hash = last.chain
    }

    /// Appends `line` (an object without its closing brace) sealed to `output`, and steps on.
    ///
    /// Linear in the length of the line.
    package mutating func seal(_ line: Span<UInt8>, into output: inout [UInt8]) {
        sequence &+= 1
        var end = SealText()
        end.append(SealedLine.sequenceMark)
        end.append(decimal: sequence)
        step(line, end.storage.span.extracting(first: end.count))
        end.append(SealedLine.chainMark)
        end.append(hash)
        end.append(SealedLine.end)
        end.append(UInt8(ascii: "\n"))
        // Unsafe: the buffers are copied inside the closures.
        unsafe line.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
        unsafe end.storage.span.extracting(first: end.count).withUnsafeBufferPointer {
            unsafe output.append(contentsOf: $0)
        }
    }

    /// The hash of a record, in hexadecimal; `body` ends with the digits of `seq`.
    static func hash(previous: [UInt8], body: Span<UInt8>) -> [UInt8] {
        var chain = AuditChain()
        chain.hash = previous
        chain.step(body, Span())
        return chain.hash
    }

    /// Replaces the previous hash by the one of `line` and `end` after it, in the same storage.
    private mutating func step(_ line: Span<UInt8>, _ end: Span<UInt8>) {
        var hasher = SHA256()
        // Unsafe: the buffers are read inside the closures only.
        unsafe hash.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        unsafe line.bytes.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        unsafe end.bytes.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        // Written over, digit by digit: the array has the width of a hash from the beginning.
        unsafe hasher.finalize().withUnsafeBytes { digest in
            var digits = hash.mutableSpan
            var place = 0
            for index in digest.indices where place + 1 < digits.count {
                let byte = unsafe digest[index]
                digits[place] = hexadecimalDigit(byte >> 4)
                digits[place + 1] = hexadecimalDigit(byte)
                place += 2
            }
        }
    }
}

/// What `AuditChain.seal` adds to a line, put together where nothing is allocated.
private struct SealText: ~Copyable {
    private(set) var storage = InlineArray<128, UInt8>(repeating: 0)
    /// Bytes of `storage` that were appended.
    private(set) var count = 0

    mutating func append(_ byte: UInt8) {
        // `AuditChain.maximumSealBytes` is less than there is room for.
        guard count < storage.count else { return }
        storage[count] = byte
        count += 1
    }

    mutating func append(_ text: [UInt8]) {
        for byte in text { append(byte) }
    }

    mutating func append(decimal number: UInt64) {
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }
}

/// The seal at the end of one line of an audit file, read back.
package struct SealedLine: Sendable, Equatable {
    static let sequenceMark = Array(",\"seq\":".utf8)
    static let chainMark = Array(",\"chain\":\"".utf8)
    static let end = Array("\"}".utf8)

    /// The record's `seq`.
    package let sequence: UInt64
    /// The record's `chain`: 64 lower-case hexadecimal digits.
    package let chain: [UInt8]
    /// Bytes that were hashed after the previous chain: everything before `,"chain":"`.
    package let bodyLength: Int

    /// Reads the seal of a line without its line feed; nil when it has none. Looks only at the end of the line.
    package init?(_ line: Span<UInt8>) {
        let tail = SealedLine.chainMark.count + AuditChain.hashWidth + SealedLine.end.count
        guard line.count > tail + SealedLine.sequenceMark.count, line[0] == UInt8(ascii: "{") else { return nil }
        let body = line.count - tail
        let hashStart = body + SealedLine.chainMark.count
        guard SealedLine.matches(line, at: body, SealedLine.chainMark),
            SealedLine.matches(line, at: hashStart + AuditChain.hashWidth, SealedLine.end)
        else { return nil }
        var chain: [UInt8] = []
        chain.reserveCapacity(AuditChain.hashWidth)
        for index in hashStart..<hashStart + AuditChain.hashWidth {
            let byte = line[index]
            guard
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            else { return nil }
            chain.append(byte)
        }
        guard let sequence = SealedLine.sequence(line, endingAt: body) else { return nil }
        self.sequence = sequence
        self.chain = chain
        bodyLength = body
    }

    /// The number in `,"seq":N` right before `end`, in canonical decimal, else nil.
    private static func sequence(_ line: Span<UInt8>, endingAt end: Int) -> UInt64? {
        var start = end
        while start > 0, end - start < 20, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(line[start - 1]) {
            start -= 1
        }
        guard start < end, start >= sequenceMark.count, line[start] != UInt8(ascii: "0"),
            matches(line, at: start - sequenceMark.count, sequenceMark)
        else { return nil }
        var value: UInt64 = 0
        for index in start..<end {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = product.addingReportingOverflow(UInt64(line[index] - UInt8(ascii: "0")))
            if overflow || overflow2 { return nil }
            value = sum
        }
        return value
    }

    static func matches(_ line: Span<UInt8>, at offset: Int, _ text: [UInt8]) -> Bool {
        guard offset >= 0, text.count <= line.count - offset else { return false }
        for index in text.indices where line[offset + index] != text[index] { return false }
        return true
    }
}
