#!/usr/bin/env python3
"""The goals, each with what was measured: one table at the end of `make bench`.

Takes the measurements of run.py and frontdoor.py from their files, and makes those that neither of them has: tokens never
seen before, many clients, large bodies, latency at a given rate, starting, idle connections.

  goals.py --run RUN.json --front FRONT.json
  goals.py --only bodies,idle         these parts only; --only '' for none
"""

import argparse
import collections
import copy
import json
import os
import resource
import socket
import statistics
import sys
import time

import frontdoor
import lab as workbench
import peers
import tokens
from run import Bench

Goal = collections.namedtuple("Goal", "work against measured goal met")
median = statistics.median


def at_most(work, against, value, bound, form="%.2fx", note=""):
    return Goal(work, against, form % value + note, "<= " + form % bound, "yes" if value <= bound else "NO")


def at_least(work, against, value, bound, form="%.2fx", note=""):
    return Goal(work, against, form % value + note, ">= " + form % bound, "yes" if value >= bound else "NO")


def not_measured(work, against, goal, why):
    return Goal(work, against, "not measured: " + why, goal, "-")


def cost(row, run):
    """CPU µs for each request that `run` makes; what `run` returned."""
    before = sum(row.process.cpu())
    load = run()
    wrong = load["refused"] + load["connect"] + load["read"] + load["write"] + load["timeout"]
    if wrong:
        raise workbench.Missing("%s: %d errors\n%s" % (row.name, wrong, row.process.log()))
    return (sum(row.process.cpu()) - before) * 1e6 / max(1, load["requests"]), load


# MARK: From the other two

def from_run(path):
    with open(path) as file:
        rounds = json.load(file)["rounds"]

    def ratio(row, against):
        return median(r[row]["microseconds"] / r[against]["microseconds"] for r in rounds if row in r and against in r)

    everything = "GET, 1,000 known tokens, everything on"
    yield at_most(everything, "haproxy plain", ratio("tollgate", "haproxy plain"), 0.85)
    yield at_most(everything, "haproxy full", ratio("tollgate", "haproxy full"), 0.18)
    yield at_most(everything, "c-relay", ratio("tollgate", "c-relay"), 1.65)
    for row in ("tollgate 401 none", "tollgate guessing", "tollgate 403", "tollgate 429"):
        yield at_most(row.replace("tollgate", "answer").replace("answer guessing", "answer 429, guessing"), "admitted",
                      ratio(row, "tollgate"), 0.7)


def from_front(path):
    with open(path) as file:
        found = json.load(file)
    for name, rounds in found["loads"].items():
        for row in ("tollgate", "tollgate public"):
            if row not in rounds[0]:
                continue
            (throughput, work), (_, cheap) = frontdoor.ratios(rounds, row, found["peers"])
            # The throughput of a load that is slower than the proxies says nothing about them.
            full = median(r[row]["busy"] for r in rounds) >= 0.9
            yield at_least("front door: %s%s" % (name, ", plain" if "public" in row else ""), cheap, work,
                           frontdoor.GOAL, note=" work a CPU; %.2fx throughput%s" % (
                               throughput, "" if full else ", of the load"))


# MARK: Tokens and clients

class ManyTokens(peers.Tollgate):
    """Everything on, with tokens of `many`."""

    algorithm, limit = "", dict(peers.Tollgate.limit)

    def configuration(self):
        made = super().configuration()
        made["issuers"][tokens.PROVIDER].update(algorithms=[self.algorithm], keys={"file": self.keys})
        return made


def bare_verify(bench_lab, name):
    """Seconds of CPU that OpenSSL takes to verify one signature, on the proxy's core."""
    out = bench_lab.run(["openssl", "speed", "-seconds", "1", "-mr", name], on="proxy")
    line = next(line for line in out.splitlines() if line.startswith(("+F2:", "+F4:")))
    value = float(line.split(":")[4])
    # Seconds for one before OpenSSL 3, verifications a second since.
    return value if value < 1 else 1 / value


def fresh_tokens(bench, options):
    for algorithm, name in (("RS256", "rsa2048"), ("ES256", "ecdsap256")):
        requests, keys = tokens.many(bench.lab.folder, algorithm, options.fresh)
        rounds = []
        # All three in each round: what one of them finds the machine doing is not held against another.
        for _ in range(options.rounds):
            relay = peers.CRelay(bench)
            relay.start()
            relayed, _ = cost(relay, lambda: bench.lab.load(relay.port, bench.material["requests.tsv"], 1))
            relay.stop()
            verify = bare_verify(bench.lab, name) * 1e6
            # A process that has seen none of them.
            row = ManyTokens(bench)
            row.algorithm, row.keys, row.name = algorithm, keys, "fresh " + algorithm
            row.start()
            whole, _ = cost(row, lambda: bench.lab.load(row.port, requests, 60, once=True))
            row.stop()
            rounds.append(((whole - relayed) / verify, whole, relayed, verify))
        value, whole, relayed, verify = (median(column) for column in zip(*rounds))
        yield at_most("never-seen %s token" % algorithm, "c-relay + n verifications", value, 2.5,
                      note=" (%.1f µs; relay %.1f, verify %.1f)" % (whole, relayed, verify))


def many_clients(bench, options):
    requests, keys = tokens.many(bench.lab.folder, "ES256", 100_000)
    parts = {}
    with open(requests) as file:
        lines = file.readlines()
    for name, some in (("few", lines[:1000]), ("half", lines[1000:50_000])):
        parts[name] = bench.lab.write(name + ".tsv", "".join(some))
    row = ManyTokens(bench)
    row.algorithm, row.keys, row.name = "ES256", keys, "many tokens"
    row.start()
    once = lambda path: bench.lab.load(row.port, path, 120, once=True)
    bench.lab.load(row.port, parts["few"], 1)
    before = row.process.rss()[0]
    once(parts["half"])
    kept = (row.process.rss()[0] - before) * 1024 / 49_000
    once(requests)
    few, _ = cost(row, lambda: bench.lab.load(row.port, parts["few"], 2))
    all_of_them, _ = cost(row, lambda: once(requests))
    yield at_most("100,000 ES256 tokens and clients in turn", "1,000", all_of_them / few, 1.25,
                  note=" (%.1f µs, 1,000: %.1f)" % (all_of_them, few))
    yield at_most("resident for each known token, its client included", "-", kept, 1024, "%.0f B")
    row.stop()


class Addresses(peers.TollgatePublic):
    name, token = "addresses", "address"

    def configuration(self):
        return dict(super().configuration(), forwarding={"trustedProxies": ["127.0.0.0/8"]})


def many_addresses(bench, options):
    line = "/api/2/things/acme:lamp-00001/features/light\t10.%d.%d.%d\n"
    files = {n: bench.lab.write("addresses-%d.tsv" % n, "".join(
        line % (i >> 16, i >> 8 & 255, i & 255) for i in range(n))) for n in (1000, 100_000)}
    row = Addresses(bench)
    row.start()
    load = lambda n, **how: bench.lab.load(row.port, files[n], how.pop("seconds", 2), row.prefix, row.token, **how)
    load(1000, seconds=1)
    before = row.process.rss()[0]
    load(100_000, seconds=60, once=True)
    kept = (row.process.rss()[0] - before) * 1024 / 99_000
    ratios = []
    for _ in range(options.rounds):
        few = cost(row, lambda: load(1000))[0]
        ratios.append(cost(row, lambda: load(100_000, seconds=60, once=True))[0] / few)
    yield at_most("100,000 clients in turn, told apart by address", "1,000", median(ratios), 1.25)
    yield at_most("resident for each known client", "-", kept, 128, "%.0f B")
    row.stop()


# MARK: Bodies

def bodies(bench, options):
    few = bench.lab.write("few-requests.tsv", "".join(open(bench.material["requests.tsv"]).readlines()[:4]))
    for size, name in ((65_536, "64 KiB"), (1 << 20, "1 MiB")):
        sized = copy.copy(bench)
        sized.origin_port = workbench.free_port()
        sized.origin_ports = [sized.origin_port]
        bench.lab.origin(sized.origin_port, size)
        for direction, where, body in (("down", sized, 0), ("up", bench, size)):
            rows = {}
            for kind in (peers.HAProxyPlain, peers.Tollgate):
                row = kind(where)
                row.name = "%s %s %d" % (kind.name, direction, size)
                row.start()
                rows[kind] = row
                bench.lab.load(row.port, few, 1, connections=16, body=body)
            resting = rows[peers.Tollgate].process.rss()[0]
            throughput, cpu = [], []
            for number in range(options.rounds):
                found = {}
                for kind in list(rows)[::1 if number % 2 == 0 else -1]:
                    spent, load = cost(rows[kind], lambda: bench.lab.load(
                        rows[kind].port, few, 1, connections=16, body=body))
                    found[kind] = (load["requests"] / load["seconds"], spent)
                throughput.append(found[peers.Tollgate][0] / found[peers.HAProxyPlain][0])
                cpu.append(found[peers.HAProxyPlain][1] / found[peers.Tollgate][1])
            grown = rows[peers.Tollgate].process.rss()[1] - resting
            for row in rows.values():
                row.stop()
            yield at_least("%s bodies %s" % (name, direction), "haproxy plain", median(throughput), 0.9,
                           note=" (%.2fx work a CPU; memory +%.1f MiB)" % (median(cpu), grown / 1024))


# MARK: Latency at a rate

def latency(bench, options):
    rows = {kind: kind(bench) for kind in (peers.Direct, peers.HAProxyPlain, peers.Tollgate)}
    for row in rows.values():
        row.start()
    path, token = workbench.first_request(bench.material["requests.tsv"])
    saturation = bench.lab.load(rows[peers.HAProxyPlain].port, bench.material["requests.tsv"], 3)
    rate = saturation["requests"] / saturation["seconds"] / 2

    def p99(row):
        log = bench.lab.path("h2load.log")
        if os.path.exists(log):
            os.remove(log)
        out = bench.lab.run([
            "h2load", "--h1", "-c64", "-m1", "-D3", "--rps=%.2f" % (rate / 64), "--log-file=" + log, "-H",
            "authorization: Bearer " + token, "http://127.0.0.1:%d%s" % (row.port, path)])
        with open(log) as file:
            lines = [line.split("\t") for line in file]
        wrong = sum(1 for line in lines if line[1] != "200")
        if wrong or not lines:
            raise workbench.Missing("%s: %d of %d answers are not 200\n%s" % (row.name, wrong, len(lines), out))
        times = sorted(int(line[2]) for line in lines)
        return times[len(times) * 99 // 100]

    found = [{kind: p99(row) for kind, row in list(rows.items())[::1 if number % 2 == 0 else -1]}
             for number in range(options.rounds)]
    for row in rows.values():
        row.stop()
    middle = {kind: median(f[kind] for f in found) for kind in rows}
    direct, theirs, ours = (middle[k] for k in (peers.Direct, peers.HAProxyPlain, peers.Tollgate))
    work = "p99 added at half of haproxy's saturation, %d/s" % rate
    if theirs <= direct:
        yield not_measured(work, "haproxy plain", "<= 1.00x", "haproxy adds nothing to %d µs here (gateway: %d µs)" % (
            direct, ours))
    else:
        yield at_most(work, "haproxy plain", (ours - direct) / (theirs - direct), 1.0,
                      note=" (µs: direct %d, haproxy %d, gateway %d)" % (direct, theirs, ours))


# MARK: Starting and being idle

def starting(bench, options):
    times, sizes = [], []
    path, token = workbench.first_request(bench.material["requests.tsv"])
    for _ in range(5):
        row = peers.Tollgate(bench)
        row.admin = workbench.free_port()
        os.makedirs(bench.lab.path(row.slug()), exist_ok=True)
        config = bench.lab.write(row.slug() + "/gateway.json", json.dumps(row.configuration()))
        began = time.monotonic()
        row.process = bench.lab.start(row.name, [bench.binary, "serve", "--config", config])
        while True:
            try:
                if workbench.ask(row.port, path, token)[0] == 200:
                    break
            except OSError:
                if time.monotonic() - began > 20:
                    raise workbench.Missing("no answer after 20 s:\n" + row.process.log())
                time.sleep(0.001)
        times.append((time.monotonic() - began) * 1000)
        sizes.append(row.process.rss()[0] / 1024)
        row.stop()
    yield at_most("start to first answer", "-", median(times), 100, "%.0f ms")
    yield at_most("resident after it, idle", "-", median(sizes), 30e6 / 2**20, "%.1f MiB")


class IdleHAProxy(peers.HAProxyPlain):
    name = "haproxy idle"


class IdleTollgate(peers.Tollgate):
    name = "tollgate idle"

    def configuration(self):
        return dict(super().configuration(), limits={"maximumConnections": 25_000})


def idle(bench, options):
    # HAProxy wants two descriptors for each connection it may have.
    allowed = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000) // 2
    count, each = min(20_000, allowed), {}
    work = "resident for each of 20,000 idle connections" if count == 20_000 else \
        "resident for each of %d idle connections (20,000 need 41,000 open files)" % count
    path, token = workbench.first_request(bench.material["requests.tsv"])
    request = ("GET %s HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer %s\r\n\r\n" % (path, token)).encode()
    for kind in (IdleHAProxy, IdleTollgate):
        row = kind(bench)
        row.maximum = count + 200
        row.start()
        bench.lab.load(row.port, bench.material["requests.tsv"], 1)
        before, held = row.process.rss()[0], []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", row.port))
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise workbench.Missing("%s: no 200 on connection %d" % (row.name, len(held)))
            held.append(connection)
        each[kind] = (row.process.rss()[0] - before) * 1024 / count
        for connection in held:
            connection.close()
        row.stop()
    yield at_most(work, "haproxy plain", each[IdleTollgate] / max(1, each[IdleHAProxy]), 1.5,
                  note=" (%d B, haproxy %d B)" % (each[IdleTollgate], each[IdleHAProxy]))


def one_client(bench, options):
    """One client, whose bucket 1, 2 and 4 loops take from at once.

    Where loops, origin and load cannot have cores of their own, requests a second say nothing. What loops cost each other shows in
    the CPU of a request all the same, because as many run at once as there are cores, which all of them share here.
    """
    cores = sorted(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4) if n <= len(cores)]
    spread = copy.copy(bench)
    spread.lab = copy.copy(bench.lab)
    spread.lab.cores = dict(bench.lab.cores, proxy=cores)
    with open(bench.material["requests.tsv"]) as file:
        requests = bench.lab.write("one-client.tsv", file.readline())
    rows = []
    for workers in counts:
        row = peers.Tollgate(copy.copy(spread))
        row.bench.workers, row.name = workers, "%d workers" % workers
        row.start()
        cost(row, lambda: bench.lab.load(row.port, requests, 1))
        rows.append(row)
    spent = collections.defaultdict(list)
    for turn in range(options.rounds):
        for row in rows if turn % 2 == 0 else reversed(rows):
            spent[row.name].append(cost(row, lambda: bench.lab.load(row.port, requests, 3))[0])
    for row in rows:
        row.stop()
    return [
        at_least("1 client from %s at once" % row.name, "1 worker",
                 median(one / many for one, many in zip(spent[rows[0].name], spent[row.name])), 0.85,
                 note=" of the work a CPU, all on the same %d cores" % len(cores))
        for row in rows[1:]] + [
            not_measured("1 client from %d workers at once" % n, "1 worker", ">= 0.85x",
                         "needs %d cores, there are %d" % (n, len(cores)))
            for n in (2, 4) if n not in counts]


PARTS = {"fresh": fresh_tokens, "clients": many_clients, "addresses": many_addresses, "bodies": bodies,
         "latency": latency, "start": starting, "idle": idle, "workers": one_client}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", metavar="FILE", help="what run.py --json wrote")
    parser.add_argument("--front", metavar="FILE", help="what frontdoor.py --json wrote")
    parser.add_argument("--only", help="comma separated, of: " + ", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fresh", type=int, default=10_000, help="tokens of each algorithm that are seen once")
    parser.add_argument("--tollgate", metavar="PATH", help="the gateway's binary")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    chosen = list(PARTS) if options.only is None else [n.strip() for n in options.only.split(",") if n.strip()]
    unknown = [n for n in chosen if n not in PARTS]
    if unknown:
        parser.error("no such part: %s; there are: %s" % (", ".join(unknown), ", ".join(PARTS)))
    options.chosen = chosen
    options.tokens, options.body, options.workers = 1000, 128, 1
    return options


def measured(options, bench):
    """All goals in order; a part that fails says so in its place."""
    found = list(from_run(options.run)) if options.run else []
    for name in options.chosen:
        began = time.monotonic()
        try:
            found += PARTS[name](bench, options)
        except ImportError:
            found.append(not_measured(name, "-", "-", "needs the Python package cryptography"))
        print("%-10s %3d s, load average %.1f" % (name, time.monotonic() - began, os.getloadavg()[0]), file=sys.stderr)
    return found + (list(from_front(options.front)) if options.front else [])


def table(goals):
    lines = [("work", "against", "measured", "goal", "met"), *goals]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *text[1:]])


def main():
    options = arguments()
    workbench.require(["wrk", "h2load", "cc", "taskset", "haproxy", "openssl"], options.install)
    with workbench.Lab(options.keep) as bench_lab:
        bench = Bench(bench_lab, options, workbench.gateway_binary(options.tollgate) if options.chosen else None)
        print("\n" + table(measured(options, bench)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
