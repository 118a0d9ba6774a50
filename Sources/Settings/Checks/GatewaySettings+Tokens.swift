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
            for (index, token) in stored.tokens.enumerated() where !token.sha256.isEmpty {
                let known = solutions.firstIndex { $0.name.hasSameBytes(as: token.solution) }
                guard let known else {
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
        var seen: [(solution: String, token: APITokenSettings)] = []
        for solution in solutions {
            for (index, token) in solution.apiTokens.enumerated() {
                let path = reading.path.member("solutions").member(solution.name).member("apiTokens").index(index)
                if let other = seen.first(where: { $0.token.id.hasSameBytes(as: token.id) }), !token.id.isEmpty {
                    reading.error(
                        "solution \"\(other.solution)\" has a token with the id \"\(token.id)\"; ids are unique",
                        at: path.member("id"), in: json)
                }
                if let other = seen.first(where: { $0.token.sha256 == token.sha256 }), !token.sha256.isEmpty {
                    reading.error(
                        "this is the token \"\(other.token.id)\" of solution \"\(other.solution)\"; remove one",
                        at: path.member("sha256"), in: json)
                }
                seen.append((solution.name, token))
            }
        }
    }
}
