import StrictJSON

/// What proxies in front may tell, and what upstreams are told.
package struct ForwardingSettings: Sendable {
    /// Peers whose X-Forwarded-For is believed.
    package var trustedProxies: [AddressRange] = []
    /// Whether upstreams get Forwarded and X-Forwarded-* fields.
    package var setForwarded = true

    static let shape = Shape<ForwardingSettings>(
        "Forwarding", "What proxies in front may tell, and what upstreams are told.", prototype: ForwardingSettings(),
        [
            Field(
                "trustedProxies", \.trustedProxies,
                .list(
                    .addressRange,
                    check: { range, _, json, reading in
                        guard range.prefixLength == 0 else { return }
                        reading.warning(
                            "every address is trusted, so that any client can pretend to come from any other",
                            at: json)
                    }),
                "Addresses (CIDR) whose X-Forwarded-For is believed and continued; from all others it is removed, as"
                    + " Forwarded and the other X-Forwarded-* fields are from everybody."),
            Field(
                "setForwarded", \.setForwarded, .bool,
                "Tell upstreams the client in Forwarded (RFC 7239) and X-Forwarded-For, -Host and -Proto."),
        ])
}
