import StrictJSON

/// A file with its bytes, so that every byte offset can be told as line and column.
struct SourceDocument: Sendable {
    /// The name that messages use.
    let file: String
    let bytes: [UInt8]

    /// The byte offset of the deepest value on `path` that exists.
    func offset(of path: JSONPath, in root: JSON) -> Int {
        var json = root
        var offset = root.offset
        for step in path.steps {
            switch step {
            case .member(let name):
                guard let member = json.object?.first(where: { $0.name.hasSameBytes(as: name) }) else {
                    return offset
                }
                json = member.value
                offset = member.value.offset
            case .index(let index):
                guard let elements = json.array, elements.indices.contains(index) else { return offset }
                json = elements[index]
                offset = json.offset
            }
        }
        return offset
    }
}
