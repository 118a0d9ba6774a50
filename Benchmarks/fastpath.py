#!/usr/bin/env python3
"""The law of the fast path, as a test on the running gateway.

A request whose token was seen before may take no lock, hop no thread and pay for no allocation the previous request
did not pay for. Under a steady keep-alive load of known tokens this counts, for each request,

  allocations          a preloaded counter (mallocs.c), thread by thread
  futex calls          a contended lock or a thread woken shows as one; must be next to none
  epoll_ctl            a re-registration costs a system call; a steady connection needs none
  read, write, …       two and two are the floor: one of each on each side

and fails when a bound is passed. Calls are counted with `perf trace` where it works (it does not slow the gateway
down), else with `strace -f -c`.

  fastpath.py                              the bounds below
  fastpath.py --allocations 1 --futex 0.01
  fastpath.py --row 'c-relay'              the same counts of a peer, for comparison (never fails)
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time

import lab as workbench
import mallocs
import peers
from run import Bench, check

READS = ("read", "recvfrom", "recvmsg", "readv", "recvmmsg")
WRITES = ("write", "sendto", "sendmsg", "writev", "sendmmsg")
WAITS = ("epoll_wait", "epoll_pwait", "epoll_pwait2")


def perf_works():
    if not workbench.find("perf"):
        return False
    done = subprocess.run(["perf", "trace", "-s", "true"], capture_output=True, text=True)
    return done.returncode == 0 and "events" in done.stdout + done.stderr


class Tracer:
    """Counts the system calls of a running process between start and stop."""

    def __init__(self, kind, pids, folder):
        self.kind, self.out, pids = kind, os.path.join(folder, "calls." + kind), ",".join(map(str, pids))
        command = {"perf": ["perf", "trace", "-s", "-o", self.out, "-p", pids],
                   "strace": ["strace", "-f", "-c", "-o", self.out, "-p", pids]}[kind]
        self.popen = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def stop(self):
        self.popen.send_signal(signal.SIGINT)
        self.popen.wait()
        # perf: "name calls errors milliseconds …"; strace: "% seconds microseconds calls [errors] name"
        form = (r"\s+(?P<name>[a-z_0-9]+)\s+(?P<calls>\d+)\s+\d+\s+[\d.]+" if self.kind == "perf" else
                r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(?P<calls>\d+)\s+(?:\d+\s+)?(?!total$)(?P<name>\w+)$")
        calls = {}
        with open(self.out, errors="replace") as file:
            for line in file:
                match = re.match(form, line)
                if match:
                    calls[match["name"]] = calls.get(match["name"], 0) + int(match["calls"])
        return calls


def count_allocations(row, counts, seconds, connections):
    """(requests, {thread: counts}) of a load that came after the same load had already run once."""
    row.lab.load(row.port, row.bench.material["requests.tsv"], 2, connections=connections)
    before = mallocs.read(counts)
    load = row.lab.load(row.port, row.bench.material["requests.tsv"], seconds, connections=connections)
    return load["requests"], mallocs.difference(before, mallocs.read(counts))


def count_calls(row, seconds, connections, tracer):
    """({call: count}, requests): the trace begins before the load and ends after it, so that it holds all of it."""
    tracer = Tracer(tracer, row.process.pids(), row.lab.folder)
    load = row.lab.load(row.port, row.bench.material["requests.tsv"], seconds, connections=connections)
    return tracer.stop(), load["requests"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--row", default="tollgate", choices=[r.name for r in peers.ROWS])
    parser.add_argument("--tracer", choices=["perf", "strace"], help="default: perf where it works")
    parser.add_argument("--allocations", type=float, default=1.2, help="bound per request")
    parser.add_argument("--futex", type=float, default=0.01, help="bound per request")
    parser.add_argument("--epoll-ctl", type=float, default=0.01, help="bound per request")
    parser.add_argument("--io", type=float, default=4.05, help="bound of reads and writes per request")
    parser.add_argument("--tollgate", metavar="PATH")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.tokens, options.body, options.workers = 1000, 128, 1
    chosen = next(r for r in peers.ROWS if r.name == options.row)
    tracer = options.tracer or ("perf" if perf_works() else "strace")
    workbench.require(["wrk", "cc", "taskset", *chosen.requires] + (["strace"] if tracer == "strace" else []),
                      options.install)
    ours = issubclass(chosen, peers.Tollgate)
    countable = ours or chosen is peers.NIORelay
    binary = workbench.gateway_binary(options.tollgate) if ours else None
    failures = []
    with workbench.Lab(options.keep) as bench_lab:
        bench = Bench(bench_lab, options, binary)
        row = chosen(bench)
        counts = bench_lab.path("mallocs")
        if countable:
            row.start(environment=mallocs.environment(bench_lab.compile("mallocs", shared=True), counts))
            check(row)
            requests, threads = count_allocations(row, counts, options.seconds, options.connections)
            print("allocations, %d requests" % requests)
            for tid, (name, allocations, size, frees) in sorted(threads.items(), key=lambda t: -t[1][1]):
                print("  %-16s %8.3f a request, %8.1f bytes, %8.3f freed" % (
                    mallocs.thread_name(row.process.pid, tid, name), allocations / requests, size / requests,
                    frees / requests))
            total = sum(t[1] for t in threads.values()) / requests
            print("  %-16s %8.3f a request" % ("all", total))
            if total > options.allocations:
                failures.append("%.3f allocations a request, at most %.3f allowed" % (total, options.allocations))
            # Counted without the interposer: it must not colour the system calls.
            row.stop()
            row = chosen(bench)
        row.start()
        check(row)
        bench_lab.load(row.port, bench.material["requests.tsv"], 2, connections=options.connections)
        calls, requests = count_calls(row, options.seconds, options.connections, tracer)
        requests = max(1, requests)
        print("system calls, %d requests, by %s" % (requests, tracer))
        for name, n in sorted(calls.items(), key=lambda c: -c[1])[:12]:
            print("  %-16s %8.4f a request" % (name, n / requests))
        reads, writes = (sum(calls.get(c, 0) for c in group) for group in (READS, WRITES))
        print("  reads %.3f, writes %.3f, waits %.3f, epoll_ctl %.4f, futex %.4f" % (
            reads / requests, writes / requests, sum(calls.get(c, 0) for c in WAITS) / requests,
            calls.get("epoll_ctl", 0) / requests, calls.get("futex", 0) / requests))
        for what, found, bound in (
                ("futex calls", calls.get("futex", 0) / requests, options.futex),
                ("epoll_ctl calls", calls.get("epoll_ctl", 0) / requests, options.epoll_ctl),
                ("reads and writes", (reads + writes) / requests, options.io)):
            if found > bound:
                failures.append("%.4f %s a request, at most %.4f allowed" % (found, what, bound))
    if ours and failures:
        print("\n".join("BROKEN: " + f for f in failures))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
