# syntax=docker/dockerfile:1
FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends zlib1g-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/src/.build,sharing=locked \
    swift build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked --product tollgate \
    && install -D .build/release/tollgate /out/tollgate \
    && strip --strip-debug /out/tollgate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/tollgate --create-home --shell /usr/sbin/nologin tollgate \
    && install -d -o tollgate -g tollgate -m 0750 /etc/tollgate /var/lib/tollgate/var/audit
COPY --from=build /out/tollgate /usr/local/bin/tollgate
USER tollgate
WORKDIR /var/lib/tollgate
VOLUME /var/lib/tollgate/var/audit
# Mount a gateway.json (with what it refers to) at /etc/tollgate; its listeners must not bind to loopback in here.
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["tollgate", "health", "--config", "/etc/tollgate/gateway.json"]
ENTRYPOINT ["tollgate"]
CMD ["serve", "--config", "/etc/tollgate/gateway.json"]
