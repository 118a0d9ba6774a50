// swift-tools-version: 6.2
import PackageDescription

// Every target is held to the same rules. CONTRIBUTING.md says what each one buys.
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let nio = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let locks = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

// A room is one folder under Sources. ARCHITECTURE.md says who may import whom, and
// `swift build --explicit-target-dependency-import-check error` keeps it so.
func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, resources: resources, swiftSettings: house)
}

let package = Package(
    name: "tollgate",
    platforms: [.macOS(.v26)],
    products: [.executable(name: "tollgate", targets: ["tollgate"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        // Of tests alone.
        .package(url: "https://github.com/grpc/grpc-swift-2.git", from: "2.4.0"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport.git", from: "2.9.0"),
    ],
    targets: [
        room("StrictJSON", []),
        .target(name: "CLinux"),
        room("Reactor", ["CLinux", locks, nio]),
        .target(name: "CTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        room("TLS", ["CTLS", "Reactor", nio]),
        room("Wire", [nio]),
        room("HTTP2", ["Wire", nio]),
        room("Identity", ["StrictJSON"]),
        room("RateLimit", [locks]),
        room("Authentication", ["Identity", "StrictJSON", "Wire", locks, nio, crypto, cryptoExtras]),
        room("Routing", ["Wire", nio]),
        room("Policy", ["Identity", locks]),
        room(
            "Gate", ["Audit", "Authentication", "Policy", "Routing", "RateLimit", "Identity", "Wire", locks, nio]),
        room("Audit", ["Identity", "StrictJSON", crypto, locks]),
        room("Upstream", ["HTTP2", "Reactor", "TLS", "Wire", locks, nio]),
        room(
            "Proxy",
            [
                "Reactor", "TLS",
                "Gate", "Authentication", "HTTP2", "Identity", "RateLimit", "Routing", "Upstream", "Audit", "Wire",
                locks,
                nio,
                nioPosix, logging,
            ]),
        room(
            "Settings",
            [
                "StrictJSON", "Gate", "Authentication", "Identity", "Policy", "Routing", "RateLimit", "TLS", "Upstream",
                "Audit", "Wire", crypto,
            ]),
        room(
            "Control",
            [
                "Gate", "Authentication", "Identity", "Settings", "Audit", "StrictJSON", locks, nio, nioPosix, logging,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]),
        room(
            "DemoUpstream",
            ["StrictJSON", nio, nioPosix, crypto, .product(name: "NIOHTTP1", package: "swift-nio")]),
        .executableTarget(
            name: "tollgate",
            dependencies: [
                "Control", "DemoUpstream", "Proxy", "Settings", "Gate", "Authentication", "Identity", "Policy",
                "Reactor", "Routing", "RateLimit", "TLS",
                "Upstream", "Audit", "StrictJSON", "Wire", locks, nio, nioPosix, logging, crypto,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house),

        .target(
            name: "TestKit",
            dependencies: [locks, nio, crypto, cryptoExtras, "HTTP2", "StrictJSON", "TLS", "Wire"],
            path: "Tests/TestKit",
            swiftSettings: house),
        .target(
            name: "Fuzzing",
            dependencies: [
                "Authentication", "Gate", "HTTP2", "Identity", "Policy", "Routing", "Settings", "StrictJSON", "TestKit",
                "Wire", nio, crypto,
            ],
            path: "Tests/Fuzzing",
            swiftSettings: house),
        tests("FuzzTests", ["Fuzzing"]),
        tests("StrictJSONTests", ["StrictJSON"]),
        tests("TLSTests", ["TLS", "TestKit", nio]),
        tests("WireTests", ["Wire", "TestKit", "StrictJSON", nio]),
        tests("HTTP2Tests", ["HTTP2", "TestKit", "Wire", nio]),
        tests("IdentityTests", ["Identity", "StrictJSON"]),
        tests(
            "AuthenticationTests",
            ["Authentication", "Identity", "StrictJSON", "TestKit", "Wire", nio, crypto, cryptoExtras]),
        tests("ReactorTests", ["Reactor", "CLinux", "TestKit", locks, nio]),
        tests("RateLimitTests", ["RateLimit", "TestKit", locks]),
        tests("RoutingTests", ["Routing", "Wire", nio]),
        tests("PolicyTests", ["Policy", "Identity", "StrictJSON", "TestKit"]),
        tests(
            "GateTests",
            ["Gate", "Authentication", "Identity", "Policy", "RateLimit", "Routing", "Wire", "TestKit", nio]),
        tests("AuditTests", ["Audit", "Identity", "StrictJSON", "TestKit", locks]),
        tests("UpstreamTests", ["Upstream", "Wire", "Reactor", "TestKit", locks, nio]),
        tests(
            "ProxyTests",
            [
                "Proxy", "Gate", "Authentication", "Identity", "Policy", "RateLimit", "Reactor", "Routing", "Upstream",
                "Audit", "Wire", "TestKit", nio, logging,
            ]),
        tests(
            "SettingsTests",
            [
                "Settings", "StrictJSON", "Gate", "Authentication", "Identity", "Policy", "Routing", "RateLimit",
                "TLS", "Upstream", "Audit", "Wire", "TestKit", crypto, locks,
            ]),
        tests(
            "ControlTests",
            [
                "Control", "DemoUpstream", "Authentication", "Identity", "Settings", "Gate", "StrictJSON",
                "TestKit", locks, nioPosix,
                logging,
            ]),
        tests(
            "ConformanceTests",
            [
                "TestKit", "StrictJSON", "TLS", locks, nio, nioPosix, crypto,
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
            ]),
    ]
)

// `make fuzz` sets it: the runner for more rounds than the tests have.
if Context.environment["TOLLGATE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "tollgate-fuzz", dependencies: ["Fuzzing"], path: "Tests/Fuzz", swiftSettings: house))
}

// `TOLLGATE_MICRO=1 swift build …` adds the micro-benchmarks and a bare relay to compare with. They measure the rooms,
// whose API is `package`, so that they must belong to this package; a plain build or test does not compile them.
if Context.environment["TOLLGATE_MICRO"] != nil {
    package.targets += [
        .executableTarget(
            name: "tollgate-micro",
            dependencies: ["Audit", "Authentication", "Identity", "Policy", "RateLimit", "Routing", "Wire", nio],
            path: "Benchmarks/Micro", swiftSettings: house),
        .executableTarget(
            name: "tollgate-nio-relay", dependencies: [nio, nioPosix], path: "Benchmarks/NIORelay",
            swiftSettings: house),
    ]
}
