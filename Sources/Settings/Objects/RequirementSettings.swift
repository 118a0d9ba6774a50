package import Policy

/// What a request asks of a policy.
package struct RequirementSettings: Sendable, Equatable {
    /// All of these are needed.
    package var permissions: Permissions
    package var check: Check

    /// How the two checks are called.
    enum CheckChoice: String, Sendable, CaseIterable {
        case unrestricted, partial

        var value: Check {
            switch self {
            case .unrestricted: .unrestricted
            case .partial: .partial
            }
        }

        init(_ value: Check) {
            switch value {
            case .unrestricted: self = .unrestricted
            case .partial: self = .partial
            }
        }
    }

    static func shape(
        _ title: String, _ methods: String, _ prototype: RequirementSettings
    ) -> Shape<RequirementSettings> {
        Shape<RequirementSettings>(
            title, "What \(methods) ask of the policy.", prototype: prototype,
            [
                Field(
                    "permissions", \.permissions,
                    Kind<[DittoPolicy.Permission]>.list(
                        .choice(), atLeast: 1, orElse: "name a permission, or leave out the policy"
                    ).map({ names, _, _ in Permissions(names) }, back: { $0.choices }),
                    "All of these are needed."),
                Field(
                    "check", \.check,
                    Kind<CheckChoice>.choice().map({ choice, _, _ in choice.value }, back: { CheckChoice($0) }),
                    "unrestricted: in the whole subtree of the resource; partial: in some part at or below it."),
            ])
    }
}
