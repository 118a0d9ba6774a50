import StrictJSON

extension GatewaySettings {
    /// Adds the tokens of the token file to their solutions; the file need not exist.
    mutating func mergeTokens(_ json: JSON, _ reading: inout Reading) {
        if case .missing = reading.surroundings.readFile(tokens.file) { return }
        let place = json.member("tokens") ?? json
        // The cursor is within the file while its entries are looked at, so that warnings point there.
        let merged = reading.file(tokens.file, namedAt: place) { [solutions] json, reading -> [SolutionSettings]? in
            guard let stored = TokenFile.shape.read(json, &reading) else { return nil }
            var solutions = solutions
            let places = Dictionary(
                solutions.enumerated().map { (Array($1.name.utf8), $0) }, uniquingKeysWith: { first, _ in first })
            for (index, token) in stored.tokens.enumerated() where !token.sha256.isEmpty {
                guard let known = places[Array(token.solution.utf8)] else {
                    let hint = suggestion(for: token.solution, among: solutions.map(\.name), none: "there are none")
                    reading.warning(
                        "the token \"\(token.id)\" is for the solution \"\(token.solution)\", which is not configured,"
                            + " and is refused; \(hint)",
                        at: JSONPath.root.member("tokens").index(index).member("solution"), in: json)
                    continue
                }
                solutions[known].apiTokens.append(
                    APITokenSettings(
                        id: token.id, sha256: token.sha256, expires: token.expires, label: token.label))
            }
            return solutions
        }
        if let merged { solutions = merged }
    }

    /// A token is revoked by its id, so an id stands for one token; a hash stands for one solution.
    func checkTokens(_ json: JSON, _ reading: inout Reading) {
        var solutionsByID: [[UInt8]: String] = [:]
        var tokensByHash: [[UInt8]: (id: String, solution: String)] = [:]
        for solution in solutions {
            for (index, token) in solution.apiTokens.enumerated() {
                let path = reading.path.member("solutions").member(solution.name).member("apiTokens").index(index)
                if !token.id.isEmpty, let other = solutionsByID.updateValue(solution.name, forKey: Array(token.id.utf8))
                {
                    reading.error(
                        "solution \"\(other)\" has a token with the id \"\(token.id)\"; ids are unique",
                        at: path.member("id"), in: json)
                }
                guard !token.sha256.isEmpty else { continue }
                if let other = tokensByHash.updateValue((token.id, solution.name), forKey: token.sha256) {
                    reading.error(
                        "this is the token \"\(other.id)\" of solution \"\(other.solution)\"; remove one",
                        at: path.member("sha256"), in: json)
                }
            }
        }
    }
}
