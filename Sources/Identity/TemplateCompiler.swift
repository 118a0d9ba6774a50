/// Reads the notation of `ClaimTemplate`: one pass over the bytes, no recursion.
struct TemplateCompiler {
    private let bytes: [UInt8]
    private let source: ClaimTemplate.Source
    private var position = 0

    init(_ text: String, source: ClaimTemplate.Source) {
        bytes = Array(text.utf8)
        self.source = source
    }

    /// template = *( text / "{{" placeholder "}}" )
    mutating func template() throws(TemplateError) -> [ClaimTemplate.Segment] {
        guard !bytes.isEmpty else { throw fail(.empty, at: 0) }
        var segments: [ClaimTemplate.Segment] = []
        var literalStart = 0
        while position < bytes.count {
            if stands("}}") { throw fail(.strayClosing, at: position) }
            guard stands("{{") else {
                position += 1
                continue
            }
            if literalStart < position { segments.append(.literal(text(literalStart, position))) }
            segments.append(try placeholder())
            literalStart = position
        }
        if literalStart < position { segments.append(.literal(text(literalStart, position))) }
        return segments
    }

    /// placeholder = claim *( "|" function )
    private mutating func placeholder() throws(TemplateError) -> ClaimTemplate.Segment {
        let opening = position
        position += 2
        skipSpaces()
        let path = try claim(endingAt: [UInt8(ascii: "|")], opening: opening)
        var functions: [ClaimFunction] = []
        while true {
            skipSpaces()
            if stands("}}") {
                position += 2
                return .placeholder(path, functions)
            }
            guard position < bytes.count else { throw fail(.unclosedPlaceholder, at: opening) }
            // `claim` and `function` stop at a bar, at }} or at something that is neither.
            guard bytes[position] == UInt8(ascii: "|") else { throw fail(.expected("| or }}"), at: position) }
            position += 1
            skipSpaces()
            functions.append(try function(opening: opening))
        }
    }

    /// claim = ( "jwt:" / "cert:" ) path, as the source has it; the path ends at one of the given bytes or at }}, less the spaces before it.
    private mutating func claim(endingAt ends: [UInt8], opening: Int) throws(TemplateError) -> ClaimPath {
        let start = position
        while position < bytes.count, !stands("}}"), !ends.contains(bytes[position]) { position += 1 }
        guard position < bytes.count else { throw fail(.unclosedPlaceholder, at: opening) }
        var end = position
        while end > start, isSpace(bytes[end - 1]) { end -= 1 }
        guard bytes[start..<end].starts(with: "\(source.prefix)".utf8) else {
            throw fail(.unknownSource(text(start, end), source), at: start)
        }
        let pathStart = start + source.prefix.utf8CodeUnitCount
        guard let path = ClaimPath(Array(bytes[pathStart..<end])) else { throw fail(.badPath(source), at: pathStart) }
        return path
    }

    // MARK: - Functions

    private struct Argument {
        enum Value {
            case text([UInt8])
            case claim(ClaimPath)
        }

        let offset: Int
        let value: Value
    }

    /// function = "fn:" name "(" [ argument *( "," argument ) ] ")"
    private mutating func function(opening: Int) throws(TemplateError) -> ClaimFunction {
        let start = position
        guard stands("fn:") else { throw fail(.expectedFunction, at: start) }
        position += 3
        let nameStart = position
        while position < bytes.count, isNameByte(bytes[position]) { position += 1 }
        let name = text(nameStart, position)
        guard ClaimFunction.names.contains(where: { $0.isByteIdentical(to: name) }) else {
            throw fail(.unknownFunction(name, nearest: nearest(to: name, in: ClaimFunction.names)), at: start)
        }
        skipSpaces()
        guard position < bytes.count, bytes[position] == UInt8(ascii: "(") else {
            throw fail(.expected("( after fn:\(name)"), at: position)
        }
        position += 1
        let arguments = try arguments(opening: opening)
        return try Self.make(name, arguments, at: start)
    }

    private mutating func arguments(opening: Int) throws(TemplateError) -> [Argument] {
        var arguments: [Argument] = []
        skipSpaces()
        if position < bytes.count, bytes[position] == UInt8(ascii: ")") {
            position += 1
            return []
        }
        while true {
            skipSpaces()
            arguments.append(try argument(opening: opening))
            skipSpaces()
            guard position < bytes.count else { throw fail(.unclosedPlaceholder, at: opening) }
            switch bytes[position] {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: ")"):
                position += 1
                return arguments
            default: throw fail(.expected(", or )"), at: position)
            }
        }
    }

    /// argument = "'" text "'" / DQUOTE text DQUOTE / claim; there are no escapes inside quotes.
    private mutating func argument(opening: Int) throws(TemplateError) -> Argument {
        let start = position
        guard start < bytes.count else { throw fail(.unclosedPlaceholder, at: opening) }
        let quote = bytes[start]
        guard quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            guard stands(source.prefix) else { throw fail(.expected("a text in quotes"), at: start) }
            let ends = [UInt8(ascii: ","), UInt8(ascii: ")")]
            return Argument(offset: start, value: .claim(try claim(endingAt: ends, opening: opening)))
        }
        position += 1
        while position < bytes.count, bytes[position] != quote { position += 1 }
        guard position < bytes.count else { throw fail(.unclosedQuote, at: start) }
        position += 1
        return Argument(offset: start, value: .text(Array(bytes[(start + 1)..<(position - 1)])))
    }

    private static func make(
        _ name: String, _ arguments: [Argument], at offset: Int
    ) throws(TemplateError) -> ClaimFunction {
        switch name {
        case "lower", "upper":
            guard arguments.isEmpty else { throw wrongCount(name, "no argument", at: offset) }
            return name == "lower" ? .lower : .upper
        case "default":
            guard arguments.count == 1 else { throw wrongCount(name, "one text or jwt: claim", at: offset) }
            switch arguments[0].value {
            case .claim(let path): return .fallbackClaim(path)
            case .text: return .fallback(String(decoding: try needle(name, arguments[0]), as: UTF8.self))
            }
        case "replace":
            guard arguments.count == 2 else { throw wrongCount(name, "two texts", at: offset) }
            let replacement = try Self.text(name, arguments[1])
            return .replace(target: try needle(name, arguments[0]), replacement: replacement)
        case "filter":
            guard arguments.count == 2 else {
                throw wrongCount(name, "a comparison (eq, ne, like) and a text", at: offset)
            }
            let comparison = String(decoding: try Self.text(name, arguments[0]), as: UTF8.self)
            let known = ClaimFunction.Comparison.allCases
            guard let match = known.first(where: { $0.rawValue.isByteIdentical(to: comparison) }) else {
                let hint = nearest(to: comparison, in: known.map(\.rawValue))
                let reason = TemplateError.Reason.unknownComparison(comparison, nearest: hint)
                throw TemplateError(offset: arguments[0].offset, reason: reason)
            }
            return .filter(match, try Self.text(name, arguments[1]))
        default:
            guard arguments.count == 1 else { throw wrongCount(name, "one text", at: offset) }
            let needle = try needle(name, arguments[0])
            switch name {
            case "split": return .split(separator: needle)
            case "substring-before": return .substringBefore(needle)
            default: return .substringAfter(needle)
            }
        }
    }

    private static func text(_ function: String, _ argument: Argument) throws(TemplateError) -> [UInt8] {
        guard case .text(let text) = argument.value else {
            throw TemplateError(offset: argument.offset, reason: .expected("a text in quotes"))
        }
        return text
    }

    private static func needle(_ function: String, _ argument: Argument) throws(TemplateError) -> [UInt8] {
        let text = try text(function, argument)
        guard !text.isEmpty else {
            throw TemplateError(offset: argument.offset, reason: .emptyArgument(function: function))
        }
        return text
    }

    private static func wrongCount(_ function: String, _ wanted: String, at offset: Int) -> TemplateError {
        TemplateError(offset: offset, reason: .wrongArgumentCount(function: function, wanted: wanted))
    }

    // MARK: - Bytes

    private func stands(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - position >= count else { return false }
        return bytes[position..<(position + count)].elementsEqual("\(text)".utf8)
    }

    private mutating func skipSpaces() {
        while position < bytes.count, isSpace(bytes[position]) { position += 1 }
    }

    private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private func isNameByte(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte)
            || (0x61...0x7a).contains(byte | 0x20)
    }

    private func text(_ start: Int, _ end: Int) -> String {
        String(decoding: bytes[start..<end], as: UTF8.self)
    }

    private func fail(_ reason: TemplateError.Reason, at offset: Int) -> TemplateError {
        TemplateError(offset: offset, reason: reason)
    }
}

/// The candidate with the smallest edit distance; `candidates` is never empty here.
private func nearest(to name: String, in candidates: [String]) -> String {
    let name = Array(name.utf8.prefix(64))
    let ranked = candidates.map { (distance: editDistance(name, Array($0.utf8)), name: $0) }
    return ranked.min { $0.distance < $1.distance }?.name ?? ""
}

/// Levenshtein distance, one row at a time.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let substituted = diagonal + (a == b ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
        }
    }
    return row[right.count]
}
