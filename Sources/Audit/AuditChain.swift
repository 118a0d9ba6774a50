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
        output.append(addingCapacity: line.count + AuditChain.maximumSealBytes) { output in
            // Unsafe: the text is written into the room that was asked for, of which as much is given away as it filled;
            // what is hashed lies in front of it and stays while the next members are appended.
            unsafe output.withUnsafeMutableBufferPointer { room, filled in
                var text = unsafe AuditLine(room.extracting(filled...))
                text.append(escaped: line)
                text.append(",\"seq\":")
                text.appendDecimal(sequence)
                unsafe step(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[filled..<filled + text.count]))
                text.append(",\"chain\":\"")
                text.append(escaped: hash)
                text.append("\"}\n")
                filled += text.count
            }
        }
    }

    /// The hash of a record, in hexadecimal; `body` ends with the digits of `seq`.
    static func hash(previous: [UInt8], body: Span<UInt8>) -> [UInt8] {
        var chain = AuditChain()
        chain.hash = previous
        // Unsafe: the buffer is read inside the closure only.
        unsafe body.bytes.withUnsafeBytes { unsafe chain.step($0) }
        return chain.hash
    }

    /// Replaces the previous hash by the one of `body`, in the same storage.
    ///
    /// Unsafe: `body` is read during the call.
    @unsafe
    private mutating func step(_ body: UnsafeRawBufferPointer) {
        var hasher = SHA256()
        // Unsafe: the buffer is read inside the closure only.
        unsafe hash.withUnsafeBytes { unsafe hasher.update(bufferPointer: $0) }
        unsafe hasher.update(bufferPointer: body)
        // Written over, four bytes of the digest at a time: the array has the width of a hash from the beginning.
        // Unsafe: both loads and stores are checked against what they lie in.
        unsafe hasher.finalize().withUnsafeBytes { digest in
            unsafe hash.withUnsafeMutableBytes { digits in
                for offset in stride(from: 0, to: min(digest.count, digits.count / 2) - 3, by: 4) {
                    let word = unsafe UInt32(bigEndian: digest.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                    unsafe digits.storeBytes(of: hexadecimalDigits(word), toByteOffset: 2 * offset, as: UInt64.self)
                }
            }
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
