#!/usr/bin/env python3
"""A gateway built with the thread sanitizer, under every kind of request at once and all that may happen to it.

    Tests/sanitizer/live.py TOLLGATE [--seconds 30]

Several workers; callers known and new by JWT, API token and Basic; refusals 400, 401, 403 and 429; bodies both ways;
clients that leave in the middle; reloads, some with a broken file; API tokens made while it runs; scrapes; an upstream
that dies and comes back; a drain under load. Fails when the sanitizer reports anything, an answer is another than its
request calls for, a kind of request never had its answer, or the gateway does not end with 0.
"""

import argparse
import base64
import collections
import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

KEY = secrets.token_bytes(32)
TOKEN = "tg_" + secrets.token_hex(32)
SECRET = "live:" + secrets.token_hex(16)
# Cheap on purpose: under the sanitizer a hash of the usual cost takes seconds, and every reload asks for it again.
SALT = secrets.token_bytes(16)
SECRET_HASH = "$scrypt$ln=10,r=1,p=1$" + "$".join(
    base64.b64encode(part).rstrip(b"=").decode()
    for part in (SALT, hashlib.scrypt(SECRET.encode(), salt=SALT, n=1024, r=1, p=1, dklen=32)))
WORKERS, CLIENTS = 4, 12


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bearer(subject, key=KEY):
    header = {"alg": "HS256", "typ": "JWT", "kid": "live"}
    claims = {"iss": "https://issuer.test/", "aud": "https://api.test/", "sub": subject, "azp": "app-" + subject,
              "exp": int(time.time()) + 600}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return {"Authorization": f"Bearer {signed}.{base64url(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"}


class Gateway:
    """The process under test, its configuration and the two upstreams behind it, all from the same executable."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.port, self.admin = free_port(), free_port()
        self.upstream_ports = [free_port(), free_port()]
        # Whatever is started here writes its reports, and nothing else, to files of this name.
        self.environment = dict(os.environ, TSAN_OPTIONS=f"log_path={folder}/report exitcode=66 halt_on_error=0")
        self.write(self.configuration(0))
        self.log, self.started = open(folder / "log.txt", "wb"), []
        self.upstreams = [self.start("demo-upstream", "--port", str(port)) for port in self.upstream_ports]
        self.process = self.start("serve", "--config", "gateway.json")

    def wait_until_ready(self):
        deadline = time.monotonic() + 60
        while self.ask(self.admin, "GET", "/health/ready")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("the gateway did not become ready:\n" + self.messages())
            time.sleep(0.05)

    def start(self, *arguments):
        self.started.append(subprocess.Popen(
            [self.binary, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=self.environment))
        return self.started[-1]

    def close(self):
        """Ends whatever still runs."""
        for process in self.started:
            process.kill()
            process.wait()
        self.log.close()

    def messages(self):
        return (self.folder / "log.txt").read_text(errors="replace")[-3000:]

    def reports(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("report.*")))

    def write(self, configuration):
        (self.folder / "gateway.json.new").write_text(json.dumps(configuration))
        os.replace(self.folder / "gateway.json.new", self.folder / "gateway.json")

    def configuration(self, generation):
        grant = {"grant": ["READ", "WRITE"], "revoke": []}
        policy = {"policyId": "live:things", "entries": {"known": {
            "subjects": {"live:alice": {"type": "caller"}, "integration:lamps": {"type": "solution"}},
            "resources": {"thing:/": grant}}}}
        (self.folder / "policy.json").write_text(json.dumps(policy))
        keys = {"keys": [{"kty": "oct", "kid": "live", "use": "sig", "alg": "HS256", "k": base64url(KEY)}]}
        plenty = {"requestsPerMinute": 6_000_000, "burst": 6_000_000}
        everyone = ["jwt", "apiToken", "basic"]
        return {
            "listeners": [{"name": "public", "address": f"127.0.0.1:{self.port}"}],
            "admin": {"address": f"127.0.0.1:{self.admin}"}, "workers": WORKERS,
            "issuers": {"live": {
                "issuer": "https://issuer.test/", "audiences": ["https://api.test/"], "algorithms": ["HS256"],
                "keys": {"jwks": keys}, "subjects": ["{{ jwt:sub }}"], "client": "{{ jwt:azp }}",
                "solution": "{{ jwt:azp }}"}},
            "solutions": {
                "lamps": {"apiTokens": [{"id": "live", "sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}],
                          "secretHash": SECRET_HASH, "subjects": ["integration:lamps"]},
                "app-poor": {"rateLimit": {"requestsPerMinute": 1, "burst": 1}}},
            "rateLimit": plenty, "failedAuthentication": plenty, "policies": {"things": {"file": "policy.json"}},
            "upstreams": {"demo": {"endpoints": [f"http://127.0.0.1:{port}" for port in self.upstream_ports]}},
            "routes": [
                {"name": "things", "match": {"path": "/things/**"}, "upstream": "demo", "authenticate": everyone,
                 "policy": {"use": "things", "resource": "thing:/{rest}"}},
                {"name": "any", "match": {"path": "/any/**"}, "upstream": "demo", "authenticate": everyone},
                {"name": "public", "match": {"path": "/public/**"}, "upstream": "demo", "authenticate": []},
                # Differs from reload to reload, so that nothing is shared with the one before.
                {"name": "extra", "match": {"path": f"/extra/{generation}/**"}, "upstream": "demo", "authenticate": []}],
            "audit": {"directory": "audit"},
        }

    def ask(self, port, method, path, fields=None, body=None):
        """Status and body, on a connection of its own; (0, b"") when there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=fields or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()


def kinds():
    """Name, expected status, method, path, and what makes fields and body, for each kind of request."""
    known, poor, numbers = bearer("alice"), bearer("poor"), itertools.count()
    large = secrets.token_bytes(300_000)
    basic = {"Authorization": "Basic " + base64.b64encode(f"lamps:{SECRET}".encode()).decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"lamps:no").decode()}

    def chunks():
        for start in range(0, len(large), 7919):
            yield large[start:start + 7919]

    return [
        ("known JWT", 200, "GET", "/things/a", lambda: (known, None)),
        ("new JWT", 200, "GET", "/any/a", lambda: (bearer(f"new-{next(numbers)}"), None)),
        ("API token", 200, "GET", "/things/a", lambda: ({"x-cr-api-token": TOKEN}, None)),
        ("Basic", 200, "GET", "/things/a", lambda: (basic, None)),
        ("no credential", 401, "GET", "/things/a", lambda: ({}, None)),
        ("forged JWT", 401, "GET", "/any/a", lambda: (bearer("alice", b"another key" * 3), None)),
        ("wrong secret", 401, "GET", "/any/a", lambda: (wrong, None)),
        ("a stranger", 403, "GET", "/things/a", lambda: (bearer("stranger"), None)),
        ("over the limit", 429, "GET", "/any/a", lambda: (poor, None)),
        ("no route", 404, "GET", "/nowhere", lambda: ({}, None)),
        ("a body", 200, "POST", "/public/a", lambda: ({}, large)),
        ("a chunked body", 200, "PUT", "/public/a", lambda: ({"Transfer-Encoding": "chunked"}, chunks())),
        ("HEAD", 200, "HEAD", "/public/a", lambda: ({}, None)),
        ("malformed", 400, "GET", "/public/%00", lambda: ({}, None)),
    ]


class Load:
    """Clients that ask for all kinds over kept connections, and now and then leave in the middle."""

    def __init__(self, gateway):
        self.gateway, self.kinds = gateway, kinds()
        # A wrong secret is hashed each time: seldom, or nothing else would come to its turn.
        self.order = [kind for turn in range(20) for kind in self.kinds if turn == 0 or kind[0] != "wrong secret"]
        self.done, self.lock = threading.Event(), threading.Lock()
        self.counts, self.wrong = collections.Counter(), collections.Counter()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        connection = None
        for turn in itertools.count(number * 23):
            if self.done.is_set():
                return
            if turn % 50 == 49:
                self.leave(turn % 100 == 99)
            name, expected, method, path, make = self.order[turn % len(self.order)]
            fields, body = make()
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
            try:
                connection.request(method, path, body=body, headers=fields, encode_chunked=True)
                answer = connection.getresponse()
                status, _ = answer.status, answer.read()
                keeps = not answer.will_close
            except ConnectionRefusedError:
                # The drain has begun, or the gateway is gone: the end of it either way.
                return
            except (OSError, http.client.HTTPException):
                # A drain closes idle connections under whoever is about to use them.
                status, keeps = 0, False
            if not keeps:
                connection.close()
                connection = None
            with self.lock:
                self.counts[name, status] += 1
                # The upstream dies under requests, and the first over the limit are not.
                if status not in (expected, 502) and not (name == "over the limit" and status == 200):
                    self.wrong[name, status] += 1

    def leave(self, by_reset):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.gateway.port)) as client:
            client.sendall(b"POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
            if by_reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()


def trouble(gateway, seconds):
    """Everything that may happen to a gateway that runs; returns what went wrong, as sentences."""
    wrong, end = [], time.monotonic() + seconds
    for turn in itertools.count(1):
        if time.monotonic() > end:
            return wrong
        if gateway.process.poll() is not None:
            return wrong + ["the gateway ended in the middle"]
        if turn % 5 == 0:
            (gateway.folder / "gateway.json").write_text('{ "listeners": [')
        else:
            gateway.write(gateway.configuration(turn))
        gateway.process.send_signal(signal.SIGHUP)
        if turn % 4 == 0:
            with_token = ["token", "create", "--config", "gateway.json", "--solution", "lamps"]
            made = subprocess.run([gateway.binary, *with_token], cwd=gateway.folder, env=gateway.environment,
                                  capture_output=True, text=True)
            if made.returncode not in (0, 78):
                wrong.append(f"token create: {made.returncode} {made.stderr[-300:]}")
        for path in ("/metrics", "/health/live", "/health/ready"):
            if gateway.ask(gateway.admin, "GET", path)[0] != 200:
                wrong.append(f"{path} was not answered")
        if turn % 6 == 0:
            gateway.upstreams[1].kill()
            gateway.upstreams[1].wait()
            time.sleep(0.3)
            gateway.upstreams[1] = gateway.start("demo-upstream", "--port", str(gateway.upstream_ports[1]))
        time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tollgate")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    binary = os.path.abspath(options.tollgate)
    # A run without the sanitizer would be silent, too.
    if b"__tsan_init" not in pathlib.Path(binary).read_bytes():
        sys.exit(f"{binary} was not built with --sanitize=thread")
    with tempfile.TemporaryDirectory(prefix="tollgate-live-") as folder:
        gateway = Gateway(binary, pathlib.Path(folder))
        try:
            gateway.wait_until_ready()
            wrong = live(gateway, options.seconds)
        finally:
            gateway.close()
        for sentence in wrong:
            print("WRONG " + sentence)
        if wrong:
            print(gateway.messages())
        return 1 if wrong else 0


def live(gateway, seconds):
    """The whole run; what went wrong, as sentences."""
    load = Load(gateway)
    try:
        wrong = trouble(gateway, seconds)
        # Until here nothing excuses a request without an answer.
        wrong += [f"{name}: answered {status}, {count} times" for (name, status), count in sorted(load.wrong.items())]
        for name, expected, *_ in load.kinds:
            if not load.counts[name, expected]:
                wrong.append(f"{name}: never answered {expected}")
        # The drain comes under load.
        gateway.process.send_signal(signal.SIGTERM)
        code = gateway.process.wait(120)
        if code != 0:
            wrong.append(f"the gateway ended with {code}")
    finally:
        gateway.process.kill()
        load.stop()
    for upstream in gateway.upstreams:
        upstream.terminate()
        upstream.wait(60)
    verified = subprocess.run([gateway.binary, "audit", "verify", "audit"], cwd=gateway.folder,
                              env=gateway.environment, capture_output=True, text=True)
    if verified.returncode != 0:
        wrong.append("audit verify: " + (verified.stdout + verified.stderr)[-500:])
    if reports := gateway.reports():
        wrong.append("the sanitizer reports:\n" + reports[:20_000])
    for (name, status), count in sorted(load.counts.items()):
        print(f"{name:16} {status or 'none':4} {count:8}")
    print(f"{sum(load.counts.values())} requests of {len(load.kinds)} kinds, {len(wrong)} things wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
