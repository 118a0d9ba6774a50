import Crypto
import TestKit

/// The configurations the gateway is judged with, in the shape of the contract.
enum Configuration {
    static let issuer = "https://issuer.test/"
    static let audience = "https://api.test/"
    /// The API token of the solution `acme-lamps`.
    static let lampsToken = "tg_" + String(repeating: "4c616d70", count: 8)
    /// The API token of the solution `other`.
    static let otherToken = "tg_" + String(repeating: "6f746865", count: 8)
    /// An API token of `acme-lamps` that expired long ago.
    static let expiredToken = "tg_" + String(repeating: "6f6c6421", count: 8)
    /// The Basic secret of the solution `acme-lamps`; it holds a colon on purpose.
    static let lampsSecret = "correct:horse battery"

    /// The routes, credentials and limits of the contract's example.
    static func contract(_ origin: RawOrigin) -> Literal {
        contract(origin, rateLimit: ["requestsPerMinute": 360, "burst": 360, "per": "client"])
    }

    static func contract(_ origin: RawOrigin, rateLimit: Literal) -> Literal {
        [
            "workers": 2,
            "issuers": ["auth": authIssuer],
            "solutions": solutions,
            "rateLimit": rateLimit,
            "policies": ["things": ["file": "policies/things.json"]],
            "upstreams": ["origin": upstream(origin)],
            "routes": [
                [
                    "name": "things", "match": ["path": "/api/2/things/**"], "upstream": "origin",
                    "authenticate": ["jwt", "apiToken", "basic"], "requireSolution": true,
                    "policy": ["use": "things", "resource": "thing:/{rest}"],
                ],
                route("any", "/any/**", ["jwt", "apiToken", "basic"]),
                route("persons", "/jwt/**", ["jwt"]),
                route("machines", "/token/**", ["apiToken"]),
                route("public", "/public/**", []),
            ],
        ]
    }

    /// The gateway the oracle assumes: one upstream, everything forwarded but what lies under `/admin`.
    static func oracle(_ origin: RawOrigin) -> Literal {
        [
            "workers": 1,
            "rateLimit": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
            // A length that wraps to 5 in 32 bits is over this bound.
            "limits": ["maximumBodyBytes": 4_294_967_296],
            "policies": ["nobody": ["file": "policies/nobody.json"]],
            "upstreams": ["origin": impatient(port: origin.port)],
            "routes": [
                [
                    "name": "admin", "match": ["path": "/admin/**"], "upstream": "origin", "authenticate": [],
                    "policy": ["use": "nobody", "resource": "admin:/{rest}"],
                ],
                route("rest", "/**", []),
            ],
        ]
    }

    /// The files the configurations name.
    static func files(_ mint: TokenMint) throws -> [String: [UInt8]] {
        [
            "keys/auth.jwks.json": try TokenMint.jwks([mint]).bytes,
            "policies/things.json": things.bytes,
            "policies/nobody.json": nobody.bytes,
            "secrets/lamps": Array(try lampsHash.get().utf8),
        ]
    }

    static func adding(_ route: Literal, to configuration: Literal) -> Literal {
        guard case .object(let members) = configuration,
            case .array(let routes)? = members.first(where: { $0.0 == "routes" })?.1
        else { return configuration }
        return configuration.merging(["routes": .array(routes + [route])])
    }

    static func route(_ name: String, _ path: String, _ credentials: [String]) -> Literal {
        [
            "name": .string(name), "match": ["path": .string(path)], "upstream": "origin",
            "authenticate": .array(credentials.map { .string($0) }),
        ]
    }

    static func upstream(_ origin: RawOrigin) -> Literal {
        ["endpoints": [.string("http://127.0.0.1:\(origin.port)")]]
    }

    /// An upstream whose silence is noticed soon.
    static func impatient(port: Int) -> Literal {
        [
            "endpoints": [.string("http://127.0.0.1:\(port)")], "responseTimeout": "2s", "connectTimeout": "1s",
        ]
    }

    private static let authIssuer: Literal = [
        "issuer": .string(issuer), "audiences": [.string(audience)], "algorithms": ["RS256"],
        "keys": ["file": "keys/auth.jwks.json"], "clockSkew": "10s",
        "subjects": ["{{ jwt:sub }}", "{{ jwt:permissions }}"], "client": "{{ jwt:azp }}",
        "solution": "{{ jwt:azp }}", "tenant": "{{ jwt:org_id }}",
    ]

    private static let lampsHash = Result { try scryptHash(of: lampsSecret) }

    private static let solutions: Literal = [
        "acme-lamps": [
            "apiTokens": [
                ["id": "t1", "sha256": .string(hash(lampsToken)), "expires": "2099-01-01T00:00:00Z"],
                ["id": "t0", "sha256": .string(hash(expiredToken)), "expires": "2020-01-01T00:00:00Z"],
            ],
            "secretHash": ["file": "secrets/lamps"],
            "subjects": ["integration:acme-lamps"],
            "rateLimit": ["requestsPerMinute": 1200, "burst": 1200],
        ],
        "other": [
            "apiTokens": [["id": "o1", "sha256": .string(hash(otherToken))]], "subjects": ["integration:other"],
        ],
    ]

    private static func hash(_ token: String) -> String {
        hexadecimal(SHA256.hash(data: Array(token.utf8)))
    }

    private static let things: Literal = [
        "policyId": "test:things",
        "entries": [
            "alice": entry(
                ["auth:alice"],
                [
                    "thing:/": ["grant": ["READ", "WRITE"], "revoke": []],
                    "thing:/secret": ["grant": [], "revoke": ["READ", "WRITE"]],
                    "thing:/frozen": ["grant": [], "revoke": ["WRITE"]],
                ]),
            "lamps": entry(["integration:acme-lamps"], ["thing:/": ["grant": ["READ"], "revoke": []]]),
            "permitted": entry(["auth:write:things"], ["thing:/shared": ["grant": ["READ", "WRITE"], "revoke": []]]),
            "past": [
                "subjects": ["auth:bygone": ["type": "test", "expiry": "2020-01-01T00:00:00Z"]],
                "resources": ["thing:/": ["grant": ["READ", "WRITE"], "revoke": []]],
            ],
        ],
    ]

    private static let nobody: Literal = [
        "policyId": "test:nobody",
        "entries": ["root": entry(["auth:root"], ["admin:/": ["grant": ["READ", "WRITE"], "revoke": []]])],
    ]

    private static func entry(_ subjects: [String], _ resources: Literal) -> Literal {
        ["subjects": .object(subjects.map { ($0, ["type": "test"]) }), "resources": resources]
    }
}
