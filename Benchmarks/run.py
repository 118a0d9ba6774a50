#!/usr/bin/env python3
"""Tollgate beside HAProxy, nginx and a minimal C relay: CPU per proxied request, one thread each, same origin.

The proxies run side by side and are measured in turn, round after round, so that whatever else the machine does falls
on all of them. The measure is CPU time (user + system, all threads, from /proc), which a busy machine disturbs less
than it disturbs throughput; the ratio is taken within a round and the median of the rounds is shown.

  run.py                          every row, 5 rounds of 3 seconds
  run.py --rows 'haproxy plain,tollgate' --rounds 9 --seconds 3
  run.py --peers                  without the gateway (needs no build)
  run.py --body 65536             larger answers
"""

import argparse
import collections
import json
import statistics
import sys
import time

import lab as workbench
import peers
import tokens

REFERENCE = "haproxy plain"


class Bench:
    """What the rows share: the workbench, the origin, the tokens and the gateway's binary."""

    def __init__(self, bench_lab, options, binary):
        self.lab, self.binary, self.workers = bench_lab, binary, options.workers
        self.material = tokens.make(bench_lab.folder, options.tokens)
        self.origin_port = workbench.free_port()
        self.origin_ports = [self.origin_port]
        self.origin = bench_lab.origin(self.origin_port, options.body)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [r.name for r in peers.ROWS]
    parser.add_argument("--rows", help="comma separated, of: " + ", ".join(names))
    parser.add_argument("--peers", action="store_true", help="only the rows that need no gateway")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load for each row in a round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--body", type=int, default=128, help="bytes of the origin's answer")
    parser.add_argument("--workers", type=int, default=1, help="of the gateway; the peers always have one")
    parser.add_argument("--tollgate", metavar="PATH", help="the gateway's binary")
    parser.add_argument("--json", metavar="FILE", help="write every measurement there")
    parser.add_argument("--install", action="store_true", help="install what is missing with apt-get")
    parser.add_argument("--keep", action="store_true", help="keep configurations and logs")
    options = parser.parse_args()
    chosen = [n.strip() for n in options.rows.split(",")] if options.rows else peers.DEFAULT
    unknown = [n for n in chosen if n not in names]
    if unknown:
        parser.error("no such row: %s; there are: %s" % (", ".join(unknown), ", ".join(names)))
    options.chosen = [r for r in peers.ROWS if r.name in chosen]
    if options.peers:
        options.chosen = [r for r in options.chosen if not issubclass(r, peers.Tollgate)]
    return options


def check(row):
    """One request before anything is measured: a row that answers wrongly is not worth timing."""
    path, token = workbench.first_request(row.bench.material[row.requests + ".tsv"])
    token = token if row.token == "with" else None
    # What is limited is so only after the bucket is empty.
    allowed = {row.expect} if row.expect != 429 else {200, 401, 429}
    status, _, body = workbench.ask(row.port, row.prefix + path, token)
    if status not in allowed:
        raise workbench.Missing("%s answered %d instead of %d: %s\n%s" % (
            row.name, status, row.expect, body[:400].decode(errors="replace"), row.process.log()))


def check_after(row):
    """Most requests right after the load must have the expected status; a few may pass as a bucket refills.

    wrk counts only "not 2xx": that a refusal is the refusal the row is named for is seen here.
    """
    with open(row.bench.material[row.requests + ".tsv"]) as file:
        lines = [line.rstrip("\n").split("\t") for line in file]
    found = collections.Counter(
        workbench.ask(row.port, row.prefix + path, token if row.token == "with" else None)[0]
        for path, token in lines[:40])
    if found.most_common(1)[0][0] != row.expect:
        raise workbench.Missing("%s answered %s after the load, expected %d" % (row.name, dict(found), row.expect))


def measure(row, options, seconds):
    user, system = row.process.cpu()
    load = row.lab.load(row.port, row.bench.material[row.requests + ".tsv"], seconds, row.prefix, row.token,
                        options.connections)
    user_after, system_after = row.process.cpu()
    resident, peak = row.process.rss()
    user, system = user_after - user, system_after - system
    requests = max(1, load["requests"])
    sockets = load["connect"] + load["read"] + load["write"] + load["timeout"]
    if row.expect == 200:
        wrong = load["refused"]
    elif row.expect == 429:
        wrong = max(0, requests - load["refused"] - options.tokens * 2)
    else:
        wrong = requests - load["refused"]
    return {"row": row.name, "requests": load["requests"], "seconds": load["seconds"],
            "microseconds": (user + system) * 1e6 / requests, "user": user, "system": system,
            "perSecond": load["requests"] / load["seconds"], "busy": (user + system) / load["seconds"],
            "p50": load["p50"], "p99": load["p99"], "wrongStatus": wrong, "socketErrors": sockets,
            "residentKiB": resident, "peakKiB": peak}


def spread(values, form="%.2f"):
    return " / ".join(form % v for v in (min(values), statistics.median(values), max(values)))


def table(options, rounds):
    """The rows as text: CPU a request, ratio, throughput, errors, memory."""
    head = ("row", "CPU µs/request (min / median / max)", "ratio to " + REFERENCE, "requests/s", "busy", "user",
            "p50 ms", "p99 ms", "errors", "RSS MiB")
    lines = [head]
    for row in options.chosen:
        mine = [r[row.name] for r in rounds]
        ratios = [r[row.name]["microseconds"] / r[REFERENCE]["microseconds"] for r in rounds if REFERENCE in r]
        wrong, sockets = sum(m["wrongStatus"] for m in mine), sum(m["socketErrors"] for m in mine)
        total = sum(m["user"] + m["system"] for m in mine) or 1
        median = lambda key: statistics.median(m[key] for m in mine)
        lines.append((
            row.name, spread([m["microseconds"] for m in mine]), spread(ratios) if ratios else "-",
            "%d" % median("perSecond"), "%d %%" % (median("busy") * 100),
            "%d %%" % (100 * sum(m["user"] for m in mine) / total), "%.2f" % (median("p50") / 1000),
            "%.2f" % (median("p99") / 1000),
            "0" if not wrong and not sockets else "%d status, %d socket" % (wrong, sockets),
            "%.1f" % (median("residentKiB") / 1024)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    rule = "|".join("-" * (w + 2) for w in widths)
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + rule + "|", *text[1:]])


def describe(machine, cores, versions, load):
    print("machine   %s, %d cores, %d MiB, %s%s, load %.1f" % (
        machine["cpu"], machine["cores"], machine["memoryMiB"], machine["kernel"],
        ", virtual" if machine["virtual"] else "", machine["load"]))
    print("cores     proxy %(proxy)s, origin %(origin)s, load %(load)s" % cores)
    if cores["origin"] == cores["load"]:
        print("          origin and load share a core: requests/s say little, CPU a request still does")
    if cores["proxy"] == cores["load"]:
        print("          ONE core for everything: expect noise")
    for name, text in versions.items():
        print("%-9s %s" % (name, text))
    print("load      " + load)
    if machine["load"] > machine["cores"] * 0.5:
        print("note      the machine is busy with other work: trust the ratios, not requests/s")


def main():
    options = arguments()
    programs = {"wrk", "cc", "taskset"}.union(*[r.requires for r in options.chosen])
    workbench.require(sorted(programs), options.install)
    needs_gateway = any(issubclass(r, peers.Tollgate) for r in options.chosen)
    binary = workbench.gateway_binary(options.tollgate) if needs_gateway else None
    machine = workbench.machine()
    versions = {
        "haproxy": workbench.version("haproxy", "-v"), "nginx": workbench.version("nginx", "-v"),
        "wrk": workbench.version("wrk", "-v").split(" Copyright")[0], "cc": workbench.version("cc", "--version")}
    if binary:
        versions["tollgate"] = "%s, commit %s" % (binary, workbench.commit())
    with workbench.Lab(options.keep) as bench_lab:
        describe(machine, bench_lab.cores, versions, "wrk, %d connections, keep-alive, %d RS256 tokens in turn, answers of "
                 "%d bytes; %d rounds of %d s, rows in turn" % (
                     options.connections, options.tokens, options.body, options.rounds, options.seconds))
        bench = Bench(bench_lab, options, binary)
        rows = [r(bench) for r in options.chosen]
        for row in rows:
            row.start()
            check(row)
            measure(row, options, 1 if options.seconds < 5 else 2)
        rounds = []
        for number in range(options.rounds):
            # Every other round goes backwards, so that a drift of the machine does not always meet the same row.
            found = {}
            for row in rows if number % 2 == 0 else reversed(rows):
                found[row.name] = measure(row, options, options.seconds)
                check_after(row)
                if sys.stderr.isatty():
                    print("round %d  %-18s %6.2f µs" % (number + 1, row.name, found[row.name]["microseconds"]),
                          file=sys.stderr)
            rounds.append(found)
        print("\n" + table(options, rounds) + "\n")
        for row in rows:
            print("%-18s %s" % (row.name, row.about))
        if options.json:
            with open(options.json, "w") as file:
                json.dump({"time": int(time.time()), "machine": machine, "cores": bench_lab.cores,
                           "versions": versions, "options": {k: v for k, v in vars(options).items() if k != "chosen"},
                           "rounds": rounds}, file, indent=1)
        failed = [(r, m) for found in rounds for r, m in found.items() if m["wrongStatus"] or m["socketErrors"]]
        for name, m in failed:
            print("ERRORS in %s: %d wrong status, %d socket errors" % (name, m["wrongStatus"], m["socketErrors"]))
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
