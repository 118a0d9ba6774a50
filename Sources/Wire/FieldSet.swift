/// A set of field kinds, for saying what to drop when a head is written on.
package struct FieldSet: OptionSet, Sendable {
    /// One bit for each `FieldKind`, at the position of its raw value.
    package let rawValue: UInt64

    /// A set from its bits.
    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// The set of the given kinds.
    package init(_ kinds: FieldKind...) {
        var bits: UInt64 = 0
        for kind in kinds {
            bits |= 1 &<< UInt64(kind.rawValue)
        }
        rawValue = bits
    }

    /// The empty set.
    package init() {
        rawValue = 0
    }

    /// The union of the given sets. Concrete, because the one every `OptionSet` has is generic and slow.
    package init(arrayLiteral elements: FieldSet...) {
        var bits: UInt64 = 0
        for element in elements { bits |= element.rawValue }
        rawValue = bits
    }

    /// Whether the kind is in the set. Constant time.
    package func contains(_ kind: FieldKind) -> Bool {
        rawValue &>> UInt64(kind.rawValue) & 1 != 0
    }

    /// Of both sets. Concrete, as above.
    package func union(_ other: FieldSet) -> FieldSet {
        FieldSet(rawValue: rawValue | other.rawValue)
    }

    /// Adds another set. Concrete, as above.
    package mutating func formUnion(_ other: FieldSet) {
        self = union(other)
    }

    /// What belongs to one connection and is never passed on (RFC 9110 §7.6.1).
    package static let hopByHop = FieldSet(
        .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .proxyAuthenticate)

    /// What says where a body ends; rendered anew from the framing the gateway itself decided on.
    package static let framing = FieldSet(.contentLength, .transferEncoding)

    /// Names that only the gateway may set, and their look-alikes.
    package static let identity = FieldSet(.identity, .alias)

    /// What a client can claim about the connection in front of it; only trusted peers may be believed.
    package static let forwarding = FieldSet(
        .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedOther, .xRealIP)

    /// What the gateway authenticates callers by.
    package static let credentials = FieldSet(.authorization, .apiToken)

    /// What never travels from a client to an upstream as sent.
    ///
    /// Hop-by-hop and framing fields, `Host` and `Expect` (written anew by whoever forwards), credentials meant for a
    /// proxy, identity names, and the fields by which some upstreams replace the routed path. `Forwarded` and its kin
    /// (`.forwarding`) and the consumed credentials (`.credentials`) depend on the peer and the route: add those.
    package static let inboundStripped: FieldSet = [
        .hopByHop, .framing, .identity, FieldSet(.host, .expect, .proxyAuthorization, .rewriteURL),
    ]
}
