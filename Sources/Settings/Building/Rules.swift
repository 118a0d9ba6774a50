import Authentication
import Gate
import Wire

extension SolutionSettings {
    /// How the solution proves itself, as the authenticator wants it.
    var credentials: SolutionCredentials {
        SolutionCredentials(
            id: name,
            apiTokens: apiTokens.map { APIToken(id: $0.id, sha256: $0.sha256, expires: $0.expires) },
            secretHash: secretHash, subjects: subjects)
    }
}

extension RequirementSettings {
    /// What a request asks of a policy, as the gate wants it.
    var requirement: RoutePolicy.Requirement {
        RoutePolicy.Requirement(permissions: permissions, check: check)
    }
}

extension ForwardingSettings {
    /// What is believed and told, as the gate wants it.
    var rules: ForwardingRules {
        // Both rooms read the same notation; a range that the gate could not read is not trusted.
        ForwardingRules(
            trustedPeers: trustedProxies.compactMap { AddressBlock($0.description) }, setsForwarded: setForwarded)
    }
}

extension LimitSettings {
    /// The bounds of one connection, as the gate wants them.
    var rules: ConnectionRules {
        var rules = ConnectionRules()
        rules.head = HeadLimits(
            maximumHeadBytes: maximumHeadBytes, maximumTargetBytes: maximumTargetBytes, maximumFields: maximumFields,
            maximumFieldBytes: maximumFieldBytes)
        rules.headTimeout = headerTimeout.wholeNanoseconds
        rules.bodyTimeout = bodyTimeout.wholeNanoseconds
        rules.minimumBodyRate = Int64(minimumBodyRate)
        rules.minimumAnswerRate = Int64(minimumAnswerRate)
        rules.idleTimeout = idleTimeout.wholeNanoseconds
        rules.streamIdleTimeout = streamIdleTimeout.wholeNanoseconds
        rules.maximumConnections = maximumConnections
        rules.maximumConnectionsPerAddress = maximumConnectionsPerAddress
        rules.maximumRequests = maximumRequests
        rules.maximumStreams = maximumStreams
        return rules
    }
}

extension Duration {
    /// Whole seconds, rounded up; for lengths of time that are not negative.
    var roundedUpToSeconds: Int64 {
        let (seconds, attoseconds) = components
        return attoseconds > 0 ? seconds + 1 : seconds
    }
}
