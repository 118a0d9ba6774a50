import StrictJSON

/// The state of reading one configuration: where we are, what the world says, and what is wrong so far.
struct Reading {
    let surroundings: Surroundings
    /// The directory that relative paths start from; empty for the working directory.
    let directory: String
    /// The file that is being read now.
    private(set) var document: SourceDocument
    /// Where in that file we are.
    private(set) var path = JSONPath.root
    private(set) var problems: [Problem] = []
    /// Whether anything found so far forbids the use of the configuration.
    private(set) var hasErrors = false
    /// More than anybody reads; each costs a walk to its line.
    private static let maximumProblems = 1000
    /// Whether `${NAME}` stands for a variable: only in the configuration itself, other files have their own notation.
    private(set) var expandsVariables: Bool
    /// The files that hold certificates and their keys, whether they could be read or not.
    var certificateFiles: [String] = []

    init(
        document: SourceDocument, directory: String, surroundings: Surroundings, expandsVariables: Bool = true
    ) {
        self.document = document
        self.directory = directory
        self.surroundings = surroundings
        self.expandsVariables = expandsVariables
    }

    /// Whether an error was found at a path of the file at hand or below it.
    ///
    /// What could not be read keeps its default, and nothing should be concluded from that.
    func hasErrors(at path: JSONPath) -> Bool {
        let text = path.description
        return problems.contains { problem in
            guard problem.severity == .error, problem.file.hasSameBytes(as: document.file),
                problem.path.utf8.starts(with: text.utf8)
            else { return false }
            let next = problem.path.utf8.dropFirst(text.utf8.count).first
            return next == nil || next == UInt8(ascii: ".") || next == UInt8(ascii: "[")
        }
    }

    /// Whether the value at a path of the file at hand has an error itself, such as being no object.
    func hasError(exactlyAt path: JSONPath) -> Bool {
        let text = path.description
        return problems.contains {
            $0.severity == .error && $0.file.hasSameBytes(as: document.file) && $0.path.hasSameBytes(as: text)
        }
    }

    /// Records an error about the value at hand.
    mutating func error(_ message: String, at json: JSON) {
        record(.error, message, offset: json.offset, path: path)
    }

    /// Records an error about a byte of the file at hand.
    mutating func error(_ message: String, offset: Int) {
        record(.error, message, offset: offset, path: path)
    }

    /// Records a warning about the value at hand.
    mutating func warning(_ message: String, at json: JSON) {
        record(.warning, message, offset: json.offset, path: path)
    }

    /// Records an error about the value that `path` leads to, or the nearest one on the way there.
    mutating func error(_ message: String, at path: JSONPath, in root: JSON) {
        record(.error, message, offset: document.offset(of: path, in: root), path: path)
    }

    /// Records a warning about the value that `path` leads to.
    mutating func warning(_ message: String, at path: JSONPath, in root: JSON) {
        record(.warning, message, offset: document.offset(of: path, in: root), path: path)
    }

    /// Records a problem about any place; `offset` is a byte of the file at hand, or of another.
    mutating func record(
        _ severity: Problem.Severity, _ message: String, offset: Int, path: JSONPath, in other: SourceDocument? = nil
    ) {
        if severity == .error { hasErrors = true }
        guard problems.count < Self.maximumProblems else { return }
        let document = other ?? document
        let message = problems.count + 1 < Self.maximumProblems ? message : "there are more problems than are told"
        let place = lineAndColumn(of: offset, in: document.bytes)
        problems.append(
            Problem(
                severity: severity, file: document.file, line: place.line, column: place.column,
                path: path.description, message: message))
    }

    /// Does `body` one step further down.
    mutating func at<Result>(_ step: JSONPath.Step, _ body: (inout Reading) -> Result) -> Result {
        path.steps.append(step)
        defer { path.steps.removeLast() }
        return body(&self)
    }

    /// Parses and reads another file; what goes wrong in it is told with its own places.
    ///
    /// `reference` is where the file was named: the place of the error when it is missing.
    mutating func file<Result>(
        _ path: String, namedAt reference: JSON, _ body: (JSON, inout Reading) -> Result?
    ) -> Result? {
        guard let bytes = fileBytes(path, namedAt: reference) else { return nil }
        let outer = (document, self.path, expandsVariables)
        defer { (document, self.path, expandsVariables) = outer }
        expandsVariables = false
        document = SourceDocument(file: path, bytes: bytes)
        self.path = .root
        do throws(JSONError) {
            return body(try JSON.parse(bytes, limits: .configuration), &self)
        } catch {
            self.error(error.description, offset: error.offset)
            return nil
        }
    }

    /// The bytes of a file, or nil and an error at `reference`.
    mutating func fileBytes(_ path: String, namedAt reference: JSON) -> [UInt8]? {
        switch surroundings.readFile(path) {
        case .bytes(let bytes): return bytes
        case .missing: error("there is no file \(path); paths are relative to the configuration file", at: reference)
        case .unreadable(let reason): error("\(path) cannot be read: \(reason)", at: reference)
        }
        return nil
    }

    /// A path as the file system wants it: relative ones start from the configuration's directory.
    func resolved(_ path: String) -> String {
        if path.utf8.first == UInt8(ascii: "/") || directory.isEmpty { return path }
        return directory.utf8.last == UInt8(ascii: "/") ? directory + path : "\(directory)/\(path)"
    }
}

extension JSON {
    /// What a message calls this value.
    var shapeName: String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
