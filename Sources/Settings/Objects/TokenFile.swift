import StrictJSON

/// The file in which `tollgate token` keeps the hashes of the tokens it makes.
package struct TokenFile: Sendable, Equatable {
    /// One token.
    package struct Entry: Sendable, Equatable {
        /// Unique in the file.
        package var id: String
        /// The solution it stands for.
        package var solution: String
        /// 32 bytes.
        package var sha256: [UInt8]
        /// Unix seconds; nil for never.
        package var expires: Int64?
        package var label: String?
        /// Unix seconds.
        package var created: Int64?

        package init(
            id: String, solution: String, sha256: [UInt8], expires: Int64? = nil, label: String? = nil,
            created: Int64? = nil
        ) {
            self.id = id
            self.solution = solution
            self.sha256 = sha256
            self.expires = expires
            self.label = label
            self.created = created
        }

        static let shape = Shape<Entry>(
            "StoredToken", "An API token made by `tollgate token create`.",
            prototype: Entry(id: "", solution: "", sha256: []),
            [
                Field("id", \.id, .name, required: true, "Its name for revoking it; unique."),
                Field("solution", \.solution, .callerName, required: true, "The solution it stands for."),
                Field("sha256", \.sha256, .sha256, required: true, "The SHA-256 of the token, in hexadecimal."),
                Field("expires", \.expires, .optional(.timestamp), "From when on it is refused; null for never."),
                Field("label", \.label, .optional(.text), "What it is for, for people."),
                Field("created", \.created, .optional(.timestamp), "When it was made."),
            ])
    }

    package var tokens: [Entry]

    /// A file with these tokens.
    package init(tokens: [Entry] = []) {
        self.tokens = tokens
    }

    static let shape = Shape<TokenFile>(
        "TokenFile", "The API tokens made by `tollgate token create`.", prototype: TokenFile(),
        [Field("tokens", \.tokens, .list(.object(Entry.shape)), "The tokens.")],
        check: { file, json, reading in
            var seen: Set<[UInt8]> = [[]]
            for (index, token) in file.tokens.enumerated() where !seen.insert(Array(token.id.utf8)).inserted {
                if token.id.isEmpty { continue }
                let path = reading.path.member("tokens").index(index).member("id")
                reading.error("another token has the id \"\(token.id)\"; ids are unique", at: path, in: json)
            }
        })

    /// Reads the file, or throws everything that is wrong with it; `file` is its name in messages.
    package static func parse(_ bytes: [UInt8], file: String) throws(SettingsError) -> TokenFile {
        let nowhere = Surroundings(environment: { _ in nil }, readFile: { _ in .missing }, now: { 0 })
        var reading = Reading(
            document: SourceDocument(file: file, bytes: bytes), directory: "", surroundings: nowhere,
            expandsVariables: false)
        do throws(JSONError) {
            let json = try JSON.parse(bytes, limits: .configuration)
            if let tokens = shape.read(json, &reading), !reading.hasErrors { return tokens }
        } catch {
            reading.error(error.description, offset: error.offset)
        }
        throw SettingsError(problems: reading.problems)
    }

    /// The bytes to write: one token an object, readable by people; absent members are left out.
    package func serialised() -> [UInt8] {
        var writer = JSONWriter(indentation: 2)
        writer.object { writer in
            writer.member("tokens") { writer in
                writer.array { writer in
                    for token in tokens { token.write(to: &writer) }
                }
            }
        }
        return writer.finish()
    }
}

extension TokenFile.Entry {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("id", id)
            writer.member("solution", solution)
            writer.member("sha256", hexadecimal(sha256))
            if let expires { writer.member("expires", Timestamp.text(expires)) }
            if let label { writer.member("label", label) }
            if let created { writer.member("created", Timestamp.text(created)) }
        }
    }
}
