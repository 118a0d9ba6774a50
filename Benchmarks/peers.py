"""The rows of the comparison: each proxy at its best on one thread, all in front of the same origin.

A row knows how to write its configuration, start itself, and which requests it gets and must answer how.
"""

import json
import os

import lab as workbench
import tokens

UNLIMITED = 1_000_000  # requests a minute and client: the limiter's cell is taken, and nobody is ever refused


class Row:
    """One line of the table. `expect`: the status every answer must have."""

    name, requires, requests, prefix, token, expect, about = "", [], "requests", "", "with", 200, ""

    def __init__(self, bench):
        self.bench, self.lab, self.port, self.process = bench, bench.lab, workbench.free_port(), None

    def start(self):
        raise NotImplementedError

    def stop(self):
        if self.process:
            self.process.stop()


class Direct(Row):
    """wrk straight to the origin: what the load and the origin can do at most."""

    name, about = "origin", "no proxy: the ceiling of the load generator (CPU is the origin's)"

    def start(self):
        self.port, self.process = self.bench.origin_port, self.bench.origin

    def stop(self):
        pass


class CRelay(Row):
    name, requires, about = "c-relay", ["cc"], "minimal epoll relay in C: the floor"

    def start(self):
        binary = self.lab.compile("relay")
        self.process = self.lab.start(
            self.name, [binary, "-p", str(self.port), "-u", str(self.bench.origin_port)], port=self.port)


class NIORelay(Row):
    """Built beside the gateway: TOLLGATE_MICRO=1 swift build … --product tollgate-nio-relay"""

    name, about = "nio-relay", "bytes through SwiftNIO that nothing looks at: the floor of a gateway on its channels"

    @staticmethod
    def binary():
        for folder in (".build/release", ".build-release/release"):
            path = os.path.join(workbench.ROOT, folder, "tollgate-nio-relay")
            if os.access(path, os.X_OK):
                return path
        raise workbench.Missing("no tollgate-nio-relay: `TOLLGATE_MICRO=1 swift build -c release "
                                "--static-swift-stdlib --product tollgate-nio-relay`")

    def start(self, environment=None):
        self.process = self.lab.start(
            self.name, [self.binary(), str(self.port), str(self.bench.origin_port)], port=self.port,
            environment=environment)


class HAProxyPlain(Row):
    name, requires, about = "haproxy plain", ["haproxy"], "forwards, no log, http-reuse always"
    log, rules, tables, settings, maximum = "", "", "", "", 4000

    def binds(self):
        return "    bind 127.0.0.1:%d\n" % self.port

    def start(self):
        configuration = """
global
    nbthread 1
    maxconn %d
%s
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
%s
frontend bench
%s
%s
    default_backend things
backend things
    server s1 127.0.0.1:%d pool-max-conn 1000
%s
""" % (self.maximum, self.settings, self.log, self.binds(), self.rules, self.bench.origin_port, self.tables)
        path = self.lab.write(self.name.replace(" ", "-") + ".cfg", configuration)
        self.process = self.lab.start(
            self.name, [workbench.find("haproxy"), "-db", "-f", path], port=self.port)


class HAProxyFull(HAProxyPlain):
    name = "haproxy full"
    about = "verifies RS256, iss, aud, exp on every request, stick-table rate, identity header, httplog to UDP"
    tables = """backend clients
    stick-table type string len 64 size 100k expire 60s store http_req_rate(60s)"""

    def start(self):
        sink_port = workbench.free_port()
        self.lab.start("sink-%d" % sink_port, [self.lab.compile("sink"), "-p", str(sink_port)], on="origin")
        self.log = "    log 127.0.0.1:%d local0\n    option httplog" % sink_port
        self.rules = """
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
    http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
    http-request set-var(txn.aud) var(txn.token),jwt_payload_query('$.aud[0]')
    http-request set-var(txn.sub) var(txn.token),jwt_payload_query('$.sub')
    http-request set-var(txn.client) var(txn.token),jwt_payload_query('$.azp')
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
    http-request deny deny_status 401 unless { var(txn.iss) -m str %s }
    http-request deny deny_status 401 unless { var(txn.aud) -m str %s }
    http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) lt 0 }
    http-request deny deny_status 401 unless { var(txn.token),jwt_verify(txn.alg,"%s") -m int 1 }
    http-request track-sc0 var(txn.client) table clients
    http-request deny deny_status 429 if { sc_http_req_rate(0,clients) gt %d }
    http-request del-header x-tollgate- -m beg
    http-request set-header x-tollgate-subject %%[var(txn.sub)]
    http-request set-header x-tollgate-client %%[var(txn.client)]
    http-request del-header authorization""" % (
            tokens.ISSUER, tokens.AUDIENCE, self.bench.material["public.pem"], UNLIMITED)
        super().start()


class NginxPlain(Row):
    name, requires, about = "nginx plain", ["nginx"], "forwards, one worker, upstream keep-alive, no access log"

    @staticmethod
    def server(*lines):
        """A server with these directives that forwards everything."""
        return "    server {\n%s%s    }\n" % ("".join("        %s;\n" % line for line in lines), """        location / {
            proxy_pass http://things;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
        }
""")

    def servers(self):
        return self.server("listen 127.0.0.1:%d backlog=4096" % self.port)

    def start(self):
        folder = self.lab.path("nginx")
        os.makedirs(folder, exist_ok=True)
        path = self.lab.write("nginx/nginx.conf", """
%s
worker_processes 1;
daemon off;
pid %s/nginx.pid;
error_log stderr error;
events { worker_connections 8192; use epoll; multi_accept on; }
http {
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
    large_client_header_buffers 8 32k;
    client_header_buffer_size 4k;
    client_body_temp_path %s/body; proxy_temp_path %s/proxy;
    fastcgi_temp_path %s/fastcgi; uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
    upstream things { server 127.0.0.1:%d; keepalive 512; keepalive_requests 1000000000; }
%s}
""" % ("user root;" if os.geteuid() == 0 else "", *[folder] * 6, self.bench.origin_port, self.servers()))
        self.process = self.lab.start(
            self.name, [workbench.find("nginx"), "-p", folder, "-e", "stderr", "-c", path], port=self.port)


class Tollgate(Row):
    name, about = "tollgate", "1,000 known tokens; signature cache, limit, policy, identity headers, audit: all on"
    limit = {"requestsPerMinute": UNLIMITED, "burst": UNLIMITED, "per": "client"}

    def configuration(self):
        folder, material = self.slug(), self.bench.material
        return {
            "listeners": [{"name": "public", "address": "127.0.0.1:%d" % self.port}],
            "admin": {"address": "127.0.0.1:%d" % self.admin},
            "workers": self.bench.workers,
            "issuers": {tokens.PROVIDER: {
                "issuer": tokens.ISSUER, "audiences": [tokens.AUDIENCE], "algorithms": ["RS256"],
                "keys": {"file": material["jwks.json"]}, "clockSkew": "10s", "subjects": ["{{ jwt:sub }}"],
                "client": "{{ jwt:azp }}", "solution": "{{ jwt:azp }}", "tenant": "{{ jwt:org_id }}"}},
            "rateLimit": self.limit,
            "policies": {"things": {"file": material["policy.json"]}},
            "upstreams": {"things": {"endpoints": [
                "http://127.0.0.1:%d" % port for port in self.bench.origin_ports]}},
            "routes": [
                {"name": "things", "match": {"path": "/api/2/things/**"}, "upstream": "things",
                 "authenticate": ["jwt"], "requireSolution": True,
                 "policy": {"use": "things", "resource": "thing:/{rest}"}},
                {"name": "public", "match": {"path": "/public/**"}, "upstream": "things", "authenticate": []}],
            "audit": {"directory": self.lab.path(folder, "audit")},
        }

    def slug(self):
        return self.name.replace(" ", "-").replace(",", "")

    def start(self, environment=None, wrapper=()):
        self.admin = workbench.free_port()
        os.makedirs(self.lab.path(self.slug()), exist_ok=True)
        path = self.lab.write(self.slug() + "/gateway.json", json.dumps(self.configuration(), indent=1))
        self.process = self.lab.start(
            self.name, [*wrapper, self.bench.binary, "serve", "--config", path], port=self.port,
            environment=environment)


class TollgatePublic(Tollgate):
    name, prefix, about = "tollgate public", "/public", "a route without authentication or policy; audit on"


class TollgateForged(Tollgate):
    name, requests, expect = "tollgate 401", "forged", 401
    about = "signature altered and guessing not throttled: every request fails its own RS256 check"

    def configuration(self):
        return dict(super().configuration(), failedAuthentication={
            "requestsPerMinute": 6_000_000, "burst": 10_000_000})


class TollgateGuessing(Tollgate):
    name, requests, expect = "tollgate guessing", "forged", 429
    about = "the same with the throttle as it is by default: 429 before any signature is checked"


class TollgateMissing(Tollgate):
    name, token, expect, about = "tollgate 401 none", "without", 401, "no credentials"


class TollgateStranger(Tollgate):
    name, requests, expect, about = "tollgate 403", "stranger", 403, "valid tokens the policy does not know"


class TollgateLimited(Tollgate):
    name, expect, about = "tollgate 429", 429, "known tokens over their limit"
    limit = {"requestsPerMinute": 1, "burst": 1, "per": "client"}


ROWS = [Direct, CRelay, NIORelay, HAProxyPlain, NginxPlain, HAProxyFull, Tollgate, TollgatePublic, TollgateMissing,
        TollgateForged, TollgateGuessing, TollgateStranger, TollgateLimited]
# Not by default: the ceiling of the load, and what needs a build of its own.
DEFAULT = [r.name for r in ROWS if r not in (Direct, NIORelay)]
