#!/usr/bin/env python3
"""An endpoint that misbehaves, in eight ways, in cleartext and over TLS, alone and beside a healthy one.

Killed; frozen (SIGSTOP: its kernel still takes connections); answering garbage; half-closing instead of an answer and
within a body; resetting within a body; one byte a second, of the head and of the body. All cases run at the same time
against one gateway with two event loops, so that each is also the others' trouble.

What must hold:
  - alone, its requests end as ARCHITECTURE.md ("Upstream failures") has it: 502, 503 with Retry-After, 504, or a
    cut answer where 200 had begun; never a whole 200, never later than the timeouts and a second
  - beside a healthy endpoint, requests that were hurt (not a whole 200, or later than a second) are few: none that
    could be sent again, else those until the bad one is ejected, and one for each ejection's end
  - requests to another upstream are all answered 200, p99 within 250 ms and none after a second
  - when the endpoint behaves again, then within 10 s, without a reload, it has requests again, alone and beside the
    other, and all are answered
  - the audit trail has one record for each request, verifies, and lost nothing
"""

import collections
import contextlib
import http.client
import multiprocessing
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import trial

# Event loops; seconds of trouble; requests a second to each pair; timeouts and ejections of each upstream.
WORKERS, TROUBLE, PACE = 2, 12, 20
CONNECT, RESPONSE, TOTAL, FAILURES, EJECTED = 2, 2, 4, 3, 2
WELL, GARBAGE, HALF_CLOSE, HALF_CLOSE_BODY, RESET_BODY, DRIP_HEAD, DRIP_BODY = range(7)
CUT = "cut"


class Misdeed:
    """`mode`: what the endpoint does, or the signal it is sent; `alone`: how a request may end; `slowest`: seconds it
    may take; `held`: seconds until a request beside a healthy endpoint is known to have failed; None where it is sent
    again."""

    def __init__(self, name, mode, alone, slowest, held):
        self.name, self.mode, self.alone, self.slowest, self.held = name, mode, alone, slowest, held

    def hurt(self):
        """How many requests may be hurt beside a healthy endpoint: half of those that come before the first is known to
        have failed; what it takes to eject the endpoint; what tries whether it is well. Without ejection: half of all.
        """
        if self.held is None:
            return 0
        return int(PACE / 2 * self.held) + WORKERS * (FAILURES + 1 + TROUBLE // EJECTED)


MISDEEDS = [
    Misdeed("killed", signal.SIGKILL, {502, 503}, CONNECT, None),
    Misdeed("frozen", signal.SIGSTOP, {504}, RESPONSE, RESPONSE),
    Misdeed("garbage", GARBAGE, {502}, RESPONSE, 0),
    Misdeed("half-close", HALF_CLOSE, {502}, RESPONSE, None),
    Misdeed("half-close in the body", HALF_CLOSE_BODY, {CUT}, RESPONSE, 0.2),
    Misdeed("reset in the body", RESET_BODY, {CUT}, RESPONSE, 0.2),
    # Each byte is progress, which moves all deadlines but that of the whole.
    Misdeed("head at 1 B/s", DRIP_HEAD, {504}, TOTAL, TOTAL),
    Misdeed("body at 1 B/s", DRIP_BODY, {CUT}, TOTAL, TOTAL),
]


def endpoint(port, name, mode, certificate):
    """A server that answers every request with its name, or otherwise, as `mode` says at the time."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
    started = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello"

    def half_close(client):
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            socket.socket.recv(client, 1)

    def serve(client):
        with contextlib.suppress(OSError), client:
            if context:
                client = context.wrap_socket(client, server_side=True)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while client.recv(65536):
                what = mode.value
                if what == WELL:
                    client.sendall(answer)
                elif what == GARBAGE:
                    return client.sendall(b"\0\1SSH-2.0-no\r\n\r\n")
                elif what == HALF_CLOSE:
                    return half_close(client)
                elif what in (HALF_CLOSE_BODY, RESET_BODY):
                    client.sendall(started)
                    # A reset overtakes what was not read before it: then there was no answer that could be cut.
                    time.sleep(0.2)
                    if what == HALF_CLOSE_BODY:
                        return half_close(client)
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return client.close()
                else:
                    if what == DRIP_BODY:
                        client.sendall(started)
                    for byte in answer * 100:
                        client.sendall(bytes([byte]))
                        time.sleep(1)

    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def ask(port, path):
    """(status or CUT, body, seconds, fields) of a request on a connection of its own."""
    began, status, body, fields = time.monotonic(), 0, b"", {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        status, fields = answer.status, answer.headers
        body = answer.read()
    except (http.client.IncompleteRead, ConnectionResetError):
        status = CUT if status == 200 else status
    except (OSError, http.client.HTTPException) as error:
        status = repr(error)
    connection.close()
    return status, body, time.monotonic() - began, fields


class Case:
    """One misdeed over one transport: runs in a process of its own and tells what it saw."""

    def __init__(self, misdeed, number, certificate, good):
        self.misdeed, self.number, self.certificate, self.good = misdeed, number, certificate, good
        self.port, self.mode = trial.lab.free_port(), multiprocessing.Value("i", WELL, lock=False)
        self.scheme = "https" if certificate else "http"
        self.title = "%s%s" % (misdeed.name, ", TLS" if certificate else "")
        self.alone, self.asked = set(misdeed.alone), 0
        if certificate and misdeed.mode == signal.SIGSTOP:
            # It is the handshake that hangs, so that the endpoint comes to be known as down.
            self.alone.add(503)

    def upstreams(self):
        shared = {"connectTimeout": "%ds" % CONNECT, "responseTimeout": "%ds" % RESPONSE,
                  "ejection": {"failures": FAILURES, "time": "%ds" % EJECTED, "maximumTime": "%ds" % EJECTED}}
        if self.certificate:
            shared["tls"] = {"authorities": self.certificate}
        bad, good = ("%s://127.0.0.1:%d" % (self.scheme, port) for port in (self.port, self.good))
        return {"alone-%d" % self.number: {"endpoints": [bad], **shared},
                "pair-%d" % self.number: {"endpoints": [bad, good], **shared}}

    def routes(self):
        return [{"name": name, "match": {"path": "/%s" % name}, "upstream": name, "authenticate": [],
                 "timeouts": {"total": "%ds" % TOTAL}} for name in self.upstreams()]

    def start(self):
        self.process = multiprocessing.Process(
            target=endpoint, args=(self.port, b"bad", self.mode, self.certificate), daemon=True)
        self.process.start()
        self.wait_listening()

    def wait_listening(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.port)).close()
            time.sleep(0.02)

    def misbehave(self):
        if isinstance(self.misdeed.mode, signal.Signals):
            os.kill(self.process.pid, self.misdeed.mode)
        else:
            self.mode.value = self.misdeed.mode

    def behave(self):
        if self.misdeed.mode == signal.SIGKILL:
            self.process.join()
            self.start()
        elif self.misdeed.mode == signal.SIGSTOP:
            os.kill(self.process.pid, signal.SIGCONT)
        else:
            self.mode.value = WELL

    def ask(self, kind):
        answer = ask(self.gateway, "/%s-%d" % (kind, self.number))
        with self.counting:
            self.asked += 1
        return answer

    def run(self, gateway, pipe):
        self.gateway, self.counting, findings, summary = gateway, threading.Lock(), [], "did not come to its end"
        self.start()
        try:
            summary = self.play(findings)
        finally:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.join()
            pipe.send((findings, summary, self.asked))

    def serves(self, kind, names, count=40):
        """Whether all of `count` requests are answered, by everybody who is named; and how they were."""
        answers = [self.ask(kind)[:2] for _ in range(count)]
        seen = collections.Counter((status, body[:20]) for status, body in answers)
        return set(seen) == {(200, name) for name in names}, dict(seen)

    def play(self, findings):
        def hold(promise, holds, measured):
            findings.append((promise, bool(holds), measured))

        kinds = {"pair": {b"bad", b"good"}, "alone": {b"bad"}}
        for kind, names in kinds.items():
            hold("%s: well before" % kind, *self.serves(kind, names))
        self.misbehave()
        pair, alone, began = [], [], time.monotonic()

        def one_after_the_other():
            while time.monotonic() < began + TROUBLE:
                alone.append(self.ask("alone"))
                time.sleep(0.2)

        clients = [threading.Thread(target=one_after_the_other)]
        clients += [threading.Thread(target=lambda: pair.append(self.ask("pair"))) for _ in range(TROUBLE * PACE)]
        for number, thread in enumerate(clients):
            # The pace does not wait for answers.
            time.sleep(max(0, began + number / PACE - time.monotonic()))
            thread.start()
        for thread in clients:
            thread.join()
        ways = dict(collections.Counter(status for status, *_ in alone))
        slowest = max(seconds for _, _, seconds, _ in alone)
        hurt = dict(collections.Counter(status for status, _, seconds, _ in pair if status != 200 or seconds > 1))
        hold("alone, a request ends with %s" % sorted(map(str, self.alone)), set(ways) <= self.alone, ways)
        hold("alone, none takes longer than %d s" % (self.misdeed.slowest + 1), slowest <= self.misdeed.slowest + 1,
             "%.2f s" % slowest)
        hold("503 says Retry-After",
             all("Retry-After" in fields for status, _, _, fields in alone if status == 503), "")
        hold("beside a healthy one at most %d are hurt" % self.misdeed.hurt(),
             sum(hurt.values()) <= self.misdeed.hurt(), "%s of %d" % (hurt, len(pair)))
        self.behave()
        began, back = time.monotonic(), {}
        for kind, names in kinds.items():
            seen = {}
            while kind not in back and time.monotonic() < began + 20:
                holds, seen = self.serves(kind, names, 20)
                if holds:
                    back[kind] = time.monotonic() - began
            hold("%s: well again within 10 s" % kind, back.get(kind, 20) <= 10, seen)
        return "alone %s, slowest %.1f s; beside a healthy one %d of %d hurt %s (bound %d); well again after %s s" % (
            ways, slowest, sum(hurt.values()), len(pair), hurt, self.misdeed.hurt(),
            " and ".join("%.1f" % wait for wait in back.values()))


def bystander(gateway, pipe):
    """Asks another upstream all the time, on one connection."""
    took, ways = [], collections.Counter()
    connection = http.client.HTTPConnection("127.0.0.1", gateway, timeout=30)
    parent = os.getppid()
    while not pipe.poll() and os.getppid() == parent:
        began = time.monotonic()
        try:
            connection.request("GET", "/other")
            answer = connection.getresponse()
            answer.read()
            ways[answer.status] += 1
        except (OSError, http.client.HTTPException) as error:
            ways[repr(error)] += 1
            connection.close()
        took.append(time.monotonic() - began)
        time.sleep(0.02)
    pipe.send((sorted(took), dict(ways)))


def certificate(bench_lab):
    """A certificate for 127.0.0.1 that is its own authority, with its key, in one file."""
    path, key = bench_lab.path("server.pem"), bench_lab.path("server.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", path],
        check=True, capture_output=True)
    with open(path, "a") as file, open(key) as secret:
        file.write(secret.read())
    return path


def main():
    parser = trial.arguments(__doc__)
    parser.add_argument("--only", metavar="NAME", help="the misdeeds whose name has this in it")
    options = parser.parse_args()
    trial.lab.require(["openssl"])
    verdict = trial.Verdict()
    with trial.laboratory(options) as bench_lab:
        path, cases, well = certificate(bench_lab), [], multiprocessing.Value("i", WELL, lock=False)
        goods = {None: trial.lab.free_port(), path: trial.lab.free_port()}
        for secret, port in goods.items():
            multiprocessing.Process(target=endpoint, args=(port, b"good", well, secret), daemon=True).start()
        for secret, port in goods.items():
            for misdeed in MISDEEDS:
                if options.only is None or options.only in misdeed.name:
                    cases.append(Case(misdeed, len(cases), secret, port))
        gateway = trial.Gateway(bench_lab, trial.lab.gateway_binary(options.tollgate), {
            "workers": WORKERS,
            "upstreams": dict({"other": {"endpoints": ["http://127.0.0.1:%d" % goods[None]]}}, **{
                name: upstream for case in cases for name, upstream in case.upstreams().items()}),
            "routes": [{"name": "other", "match": {"path": "/other"}, "upstream": "other", "authenticate": []}] + [
                route for case in cases for route in case.routes()]})
        before = gateway.resident()

        def begin(target, *rest):
            pipe, other = multiprocessing.Pipe()
            # No daemon: a case starts an endpoint, and ends it, whatever happens here.
            multiprocessing.Process(target=target, args=(*rest, other)).start()
            return pipe

        beside = begin(bystander, gateway.port)
        pipes = [begin(case.run, gateway.port) for case in cases]
        asked = 0
        for case, pipe in zip(cases, pipes):
            findings, summary, count = pipe.recv()
            asked += count
            verdict.hold(case.title, len(findings) == 8 and all(holds for _, holds, _ in findings), summary)
            for promise, holds, measured in findings:
                if not holds:
                    print("       broken is: %s: %s" % (promise, measured))
        beside.send("stop")
        took, ways = beside.recv()
        verdict.hold("others: all are answered 200", set(ways) == {200}, ways)
        high = took[len(took) * 99 // 100]
        verdict.hold("others: p99 within 250 ms, none after a second", high <= 0.25 and took[-1] <= 1,
                     "p99 %.1f ms, highest %.1f ms of %d" % (high * 1000, took[-1] * 1000, len(took)))
        print("memory: %d KiB before, %d after" % (before, gateway.resident()))
        gateway.end(verdict, 20)
        records = collections.Counter(r["outcome"] for r in gateway.records())
        verdict.hold("one audit record for each request", sum(records.values()) == asked + sum(ways.values()),
                     "%d requests, %s" % (asked + sum(ways.values()), dict(records)))
    return verdict.code()


if __name__ == "__main__":
    sys.exit(main())
