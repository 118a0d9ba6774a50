# syntax=docker/dockerfile:1
FROM swift:6.3-bookworm AS build
WORKDIR /src
COPY .ci/install .ci/install
RUN .ci/install
COPY . .
RUN --mount=type=cache,target=/src/.build,sharing=locked \
    make build \
    && install -D .build/release/tollgate /out/tollgate \
    && strip --strip-debug /out/tollgate

# The Swift runtime is in the binary; it needs glibc, libstdc++, zlib and OpenSSL, and the roots for verifying upstreams
# and fetching issuers' keys. OpenSSL stays a shared library, so that the distribution's patches reach it without a build.
FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 libstdc++6 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 tollgate \
    && useradd --system --uid 10001 --gid tollgate --home-dir /var/lib/tollgate --shell /usr/sbin/nologin tollgate \
    && install -d -o tollgate -g tollgate -m 0750 /etc/tollgate /var/lib/tollgate
COPY --from=build /out/tollgate /usr/local/bin/tollgate
USER 10001:10001
WORKDIR /var/lib/tollgate
VOLUME /var/lib/tollgate
# Mount a gateway.json with what it refers to at /etc/tollgate; its public listener must not bind to loopback in here,
# and what it writes (audit.directory, tokens.file) belongs under /var/lib/tollgate.
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["tollgate", "health", "--config", "/etc/tollgate/gateway.json"]
ENTRYPOINT ["tollgate"]
CMD ["serve", "--config", "/etc/tollgate/gateway.json"]
