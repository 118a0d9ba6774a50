import NIOCore

/// The messages the benchmarks parse: what a browser's or a service's request and an origin's answer look like.
enum Sample {
    /// 343 characters of base64url stand for a signature; nothing verifies it.
    static let token =
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImJlbmNoLTEifQ."
        + String(repeating: "eyJpc3MiOiJodHRwczovL2JlbmNoLmV4YW1wbGUvIn", count: 7) + "."
        + String(repeating: "c2lnbmF0dXJlX29mX2Jlbm", count: 15) + "c2lnbmF0dXJlX"

    static let path = "/api/2/things/acme:lamp-00042/features/light"

    /// What the load generator of the side-by-side benchmark sends.
    static let plainRequest = ByteBuffer(
        string: "GET \(path) HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
            + "Authorization: Bearer \(token)\r\n\r\n")

    /// What a browser behind a load balancer sends: 18 fields.
    static let browserRequest = ByteBuffer(
        string: """
            GET \(path)?fields=attributes%2Cfeatures&timeout=10s HTTP/1.1
            Host: api.example.com
            Connection: keep-alive
            sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24", "Google Chrome";v="128"
            sec-ch-ua-mobile: ?0
            Authorization: Bearer \(token)
            User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0
            Accept: application/json, text/plain, */*
            sec-ch-ua-platform: "Linux"
            Origin: https://app.example.com
            Sec-Fetch-Site: same-site
            Sec-Fetch-Mode: cors
            Sec-Fetch-Dest: empty
            Referer: https://app.example.com/things
            Accept-Encoding: gzip, deflate, br, zstd
            Accept-Language: de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7
            X-Forwarded-For: 203.0.113.7
            X-Forwarded-Proto: https
            traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01


            """.replacingLineEnds())

    static let response = ByteBuffer(
        string: "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 128\r\n\r\n"
            + String(repeating: "x", count: 128))
}

extension String {
    fileprivate func replacingLineEnds() -> String {
        var result = ""
        for character in self { result += character == "\n" ? "\r\n" : String(character) }
        return result
    }
}
