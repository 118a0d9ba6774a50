#!/usr/bin/env python3
"""The front door beside HAProxy and nginx: TLS handshakes, requests over TLS and over HTTP/2.

One thread each, same origin, same certificates, TLS 1.3 with AES-128-GCM and X25519 for all: what was spoken is looked
at, and a difference fails the run. Each proxy is one process with three listeners (ECDSA, RSA, cleartext HTTP/2). The
rows of a load are measured in turn, round after round, as in run.py; ratios are taken within a round, and the median of
the rounds is shown. Two ratios to the better peer, above 1 being in the row's favour:

  throughput   what was served in a second; where the load's core is busy before the proxy's (column `busy`), it says
               how fast the load is, and comes to 1 for everybody
  work a CPU   what was served for a second of the proxy's CPU (user + system, from /proc): how fast it would be with
               its core as the bottleneck

  frontdoor.py                              5 rounds of 2 seconds
  frontdoor.py --loads 'h2 32x10,h2c 32x10' --rounds 9
  frontdoor.py --peers                      without the gateway (needs no build)
"""

import argparse
import json
import os
import re
import statistics
import sys
import time

import lab as workbench
import peers
import tokens
from run import Bench, describe, spread

GOAL = 0.8
SUITE = "TLS_AES_128_GCM_SHA256"


class HAProxy(peers.HAProxyPlain):
    name = "haproxy"
    settings = """    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-bind-ciphersuites %s
    ssl-default-bind-curves X25519""" % SUITE

    def binds(self):
        certificate = self.lab.path("%s.pem")
        tls = "    bind 127.0.0.1:%d backlog 4096 ssl crt " + certificate + " alpn h2,http/1.1\n"
        return super().binds() + tls % (self.ports["ecdsa"], "ecdsa") + tls % (self.ports["rsa"], "rsa") \
            + "    bind 127.0.0.1:%d proto h2\n" % self.ports["h2c"]


class Nginx(peers.NginxPlain):
    name = "nginx"

    def servers(self):
        made = super().servers() + self.server("listen 127.0.0.1:%d http2 backlog=4096" % self.ports["h2c"])
        for kind, pair in self.bench.certificates.items():
            made += self.server(
                "listen 127.0.0.1:%d ssl http2 backlog=4096" % self.ports[kind], "ssl_certificate %s" % pair[0],
                "ssl_certificate_key %s" % pair[1], "ssl_protocols TLSv1.3", "ssl_ecdh_curve X25519",
                "ssl_conf_command Ciphersuites " + SUITE, "ssl_session_tickets on")
        return made


class Tollgate(peers.Tollgate):
    def configuration(self):
        made = super().configuration()
        for kind, (certificate, key) in self.bench.certificates.items():
            made["listeners"].append({"name": kind, "address": "127.0.0.1:%d" % self.ports[kind], "tls": {
                "minimumVersion": "1.3", "certificates": [{"certificate": certificate, "key": key}]}})
        # About what the peers keep: with the default of 64, 320 requests at a time open a connection for most of them.
        made["upstreams"]["things"]["maximumIdlePerWorker"] = 1024
        made["listeners"].append({"name": "h2c", "address": "127.0.0.1:%d" % self.ports["h2c"]})
        return made


class Public:
    """The gateway's route without authentication: the same process, other paths."""

    name, prefix, about = "tollgate public", "/public", peers.TollgatePublic.about

    def __init__(self, gateway):
        self.gateway = gateway

    def __getattr__(self, name):
        return getattr(self.gateway, name)


class Handshakes:
    """Handshakes with nothing after them; the gateway's routes do not matter to them."""

    routes, unit = False, "handshake"

    def __init__(self, name, kind, resumes, about):
        self.name, self.kind, self.resumes, self.about = name, kind, resumes, about

    def run(self, row, seconds):
        out = json.loads(row.lab.run([
            row.lab.compile("handshakes", libraries=("ssl", "crypto")), "-p", str(row.ports[self.kind]), "-d",
            str(seconds), *(["-r"] if self.resumes else [])]))
        return {"count": out["full"] + out["resumed"], "seconds": out["seconds"], "errors": out["failed"],
                "spoken": out["spoken"], "tickets": out["tickets"]}


class WrkTLS:
    routes, unit, name, about = True, "request", "http/1.1 tls", "wrk, 64 keep-alive connections, 1,000 tokens in turn"

    def run(self, row, seconds):
        out = row.lab.load(row.ports["ecdsa"], row.bench.material["requests.tsv"], seconds, row.prefix, scheme="https")
        return {"count": out["requests"], "seconds": out["seconds"], "spoken": "",
                "errors": out["refused"] + out["connect"] + out["read"] + out["write"] + out["timeout"]}


class H2Load:
    routes, unit = True, "request"

    def __init__(self, name, clients, streams, listener):
        self.name, self.clients, self.streams, self.listener = name, clients, streams, listener
        self.about = "h2load, %d connection%s, %d streams each, one token%s" % (
            clients, "s" if clients > 1 else "", streams, "" if listener == "ecdsa" else ", cleartext by prior knowledge")

    def run(self, row, seconds):
        base = "%s://127.0.0.1:%d" % ("http" if self.listener == "h2c" else "https", row.ports[self.listener])
        with open(row.bench.material["requests.tsv"]) as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
        paths = row.lab.write("%s.paths" % row.name.replace(" ", "-"),
                              "".join("%s%s%s\n" % (base, row.prefix, path) for path, _ in lines))
        out = row.lab.run(["h2load", "-c%d" % self.clients, "-m%d" % self.streams, "-D%d" % seconds, "-i", paths,
                           "--tls13-ciphers", SUITE, "--groups", "X25519", "-H", ":authority: bench.example", "-H",
                           "authorization: Bearer " + lines[0][1]])
        number = lambda pattern: int(re.search(pattern, out).group(1))
        spoken = [re.search(r"^%s: (.*)$" % what, out, re.M) for what in (
            "Application protocol", "TLS Protocol", "Cipher", "Server Temp Key")]
        count = number(r"(\d+) succeeded")
        return {"count": count, "seconds": seconds, "spoken": " ".join(m.group(1) for m in spoken if m),
                "errors": number(r"(\d+) failed") + number(r"(\d+) errored") + max(0, count - number(r"(\d+) 2xx"))}


LOADS = [
    Handshakes("full ecdsa", "ecdsa", False, "full handshakes, ECDSA P-256"),
    Handshakes("full rsa", "rsa", False, "full handshakes, RSA 2048"),
    Handshakes("resumed", "ecdsa", True, "handshakes with the ticket of the one before"),
    WrkTLS(), H2Load("h2 32x10", 32, 10, "ecdsa"), H2Load("h2 1x100", 1, 100, "ecdsa"),
    H2Load("h2c 32x10", 32, 10, "h2c"), H2Load("h2c 1x100", 1, 100, "h2c")]
# Not by default: the same as over TLS, only cheaper.
DEFAULT = [load.name for load in LOADS if load.name != "h2c 1x100"]


def measure(row, load, seconds):
    user, system = row.process.cpu()
    found = load.run(row, seconds)
    # What was under way when the load ended is the proxy's work as well, and is nearly nothing.
    user_after, system_after = row.process.cpu()
    user, system = user_after - user, system_after - system
    count = max(1, found["count"])
    return dict(found, user=user, system=system, perSecond=count / found["seconds"],
                microseconds=(user + system) * 1e6 / count, busy=(user + system) / found["seconds"],
                residentKiB=row.process.rss()[0])


def better(rounds, names, value):
    """The peer with the best median; the same one for all rounds."""
    return min(names, key=lambda name: statistics.median(value(r[name]) for r in rounds))


def ratios(rounds, name, names):
    """((throughput, work a CPU) of `name` to the better peer of each, medians of the rounds' ratios, the two peers)."""
    fast = better(rounds, names, lambda m: -m["perSecond"])
    cheap = better(rounds, names, lambda m: m["microseconds"])
    return (statistics.median(r[name]["perSecond"] / r[fast]["perSecond"] for r in rounds),
            statistics.median(r[cheap]["microseconds"] / max(1e-9, r[name]["microseconds"]) for r in rounds)), \
        (fast, cheap)


def table(load, rows, rounds):
    names = [r.name for r in rows if isinstance(r, (HAProxy, Nginx))]
    lines = [("row", "%ss/s" % load.unit, "to better peer", "CPU µs/%s (min / median / max)" % load.unit,
              "work a CPU to better peer", "busy", "user", "errors", "RSS MiB")]
    for row in rows:
        mine = [r[row.name] for r in rounds]
        median = lambda key: statistics.median(m[key] for m in mine)
        (throughput, work), (fast, cheap) = ratios(rounds, row.name, names)
        total = sum(m["user"] + m["system"] for m in mine) or 1
        lines.append((
            row.name, "%d" % median("perSecond"), "1.00" if row.name == fast else "%.2f" % throughput,
            spread([m["microseconds"] for m in mine], "%.1f"), "1.00" if row.name == cheap else "%.2f" % work,
            "%d %%" % (median("busy") * 100), "%d %%" % (100 * sum(m["user"] for m in mine) / total),
            "%d" % sum(m["errors"] for m in mine), "%.1f" % (max(m["residentKiB"] for m in mine) / 1024)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *text[1:]])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [load.name for load in LOADS]
    parser.add_argument("--loads", help="comma separated, of: " + ", ".join(names))
    parser.add_argument("--peers", action="store_true", help="only the rows that need no gateway")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of load for each row in a round")
    parser.add_argument("--tollgate", metavar="PATH", help="the gateway's binary")
    parser.add_argument("--json", metavar="FILE", help="write every measurement there")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    chosen = [n.strip() for n in options.loads.split(",")] if options.loads else DEFAULT
    unknown = [n for n in chosen if n not in names]
    if unknown:
        parser.error("no such load: %s; there are: %s" % (", ".join(unknown), ", ".join(names)))
    options.chosen = [load for load in LOADS if load.name in chosen]
    options.tokens, options.body, options.workers, options.connections = 1000, 128, 1, 64
    return options


def start(bench, options):
    """All proxies with all listeners; returns the rows."""
    rows = [HAProxy(bench), Nginx(bench)] + ([] if options.peers else [Tollgate(bench)])
    for row in rows:
        row.ports = {kind: workbench.free_port() for kind in ("ecdsa", "rsa", "h2c")}
        row.start()
    return rows if options.peers else rows + [Public(rows[-1])]


def compare(rows, load, options):
    """The rounds of one load, after a short one that warms everything up and shows that all speak alike."""
    rows = rows if load.routes else [r for r in rows if not isinstance(r, Public)]
    spoken = {}
    for row in rows:
        found = measure(row, load, 1)
        spoken[row.name] = found["spoken"]
        if found["errors"] or not found["count"]:
            raise workbench.Missing("%s, %s: %s\n%s" % (row.name, load.name, found, row.process.log()))
    if len(set(spoken.values())) > 1:
        raise workbench.Missing("%s: not all speak the same: %s" % (load.name, spoken))
    rounds = []
    for number in range(options.rounds):
        found = {}
        for row in rows if number % 2 == 0 else reversed(rows):
            found[row.name] = measure(row, load, options.seconds)
            if sys.stderr.isatty():
                print("round %d  %-12s %-18s %7.1f µs" % (
                    number + 1, load.name, row.name, found[row.name]["microseconds"]), file=sys.stderr)
        rounds.append(found)
    return rows, rounds, next(iter(spoken.values()))


def main():
    options = arguments()
    workbench.require(["wrk", "h2load", "cc", "taskset", "haproxy", "nginx", "openssl"], options.install)
    binary = None if options.peers else workbench.gateway_binary(options.tollgate)
    versions = {
        "haproxy": workbench.version("haproxy", "-v"), "nginx": workbench.version("nginx", "-v"),
        "h2load": workbench.version("h2load", "--version"), "openssl": workbench.version("openssl", "version")}
    if binary:
        versions["tollgate"] = "%s, commit %s" % (binary, workbench.commit())
    machine = workbench.machine()
    with workbench.Lab(options.keep) as bench_lab:
        describe(machine, bench_lab.cores, versions, "answers of 128 bytes; %d rounds of %d s, rows in turn" % (
            options.rounds, options.seconds))
        bench = Bench(bench_lab, options, binary)
        bench.certificates = tokens.certificates(bench_lab.folder)
        rows, results, failed = start(bench, options), {}, 0
        for load in options.chosen:
            measured, rounds, spoken = compare(rows, load, options)
            results[load.name] = rounds
            errors = sum(m["errors"] for found in rounds for m in found.values())
            failed += errors
            print("\n%s: %s%s; load average %.1f\n\n%s" % (
                load.name, load.about, ", " + spoken if spoken else "", os.getloadavg()[0],
                table(load, measured, rounds)), flush=True)
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"time": int(time.time()), "machine": machine, "cores": bench_lab.cores,
                           "versions": versions, "peers": ["haproxy", "nginx"], "loads": results}, file, indent=1)
        if failed:
            print("\nERRORS: %d" % failed)
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
