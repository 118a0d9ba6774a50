#!/usr/bin/env python3
"""A million requests through a gateway that is reloaded every second and replaced by another process now and then, while an
upstream dies and comes back.

What must hold, request by request:
  - every request sent is answered; none is cut or truncated, no new connection fails
  - every answer is 2xx, except 502 and 504 while an endpoint was just killed (its own failure, not ours); 503 never,
    because the other endpoint lives throughout
  - the audit trail has exactly one record for every answer, names the same statuses, verifies, and lost nothing
  - memory and file descriptors do not grow with the reloads (looked at where no process replaces another)

  soak.py                     a million requests
  soak.py --requests 50000    a short one
  soak.py --replace-every 0   reloads only
  soak.py --strict            no 5xx at all: requests whose endpoint died are expected to have been sent again
"""

import argparse
import collections
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "Benchmarks"))

import lab as workbench  # noqa: E402
import peers  # noqa: E402
import tokens  # noqa: E402


class Bench:
    """What peers.Tollgate needs: tokens, two origins and the binary."""

    def __init__(self, bench_lab, options):
        self.lab, self.workers = bench_lab, options.workers
        self.binary = workbench.gateway_binary(options.tollgate)
        self.material = tokens.make(bench_lab.folder, options.tokens)
        self.origin_ports = [workbench.free_port() for _ in range(2)]
        self.origins = [bench_lab.origin(p) for p in self.origin_ports]
        self.origin_port = self.origin_ports[0]


def adopt_orphans():
    """A process that took over from a child of ours is ours when that one has ended (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


class Gateway:
    """The process that serves now: the one that was started, or whichever has taken over since."""

    def __init__(self, row):
        self.first, self.pid, self.replaced = row.process, row.process.pid, 0

    def signal(self, number):
        os.kill(self.pid, number)

    def replace(self, seconds=30):
        """Starts the next process and waits until it serves."""
        self.signal(signal.SIGUSR2)
        wanted, deadline = self.replaced + 1, time.monotonic() + seconds
        while time.monotonic() < deadline:
            log = self.first.log(last=1 << 20)
            started = re.findall(r"Another process is to take over\..*pid=\"(\d+)", log)
            if len(started) == wanted and log.count("Draining.") == wanted:
                self.pid, self.replaced = int(started[-1]), wanted
                return
            if "this one goes on" in log or "can take over" in log:
                break
            time.sleep(0.05)
        raise RuntimeError("no process took over:\n" + self.first.log())

    def memory(self):
        with open("/proc/%d/status" % self.pid) as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def files(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def stop(self, seconds=40):
        """Ends it; exit codes of all processes, in the order in which they ended."""
        self.signal(signal.SIGTERM)
        codes = [self.first.popen.wait(seconds)]
        deadline = time.monotonic() + seconds
        while len(codes) <= self.replaced and time.monotonic() < deadline:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid:
                codes.append(os.waitstatus_to_exitcode(status))
            else:
                time.sleep(0.05)
        if len(codes) <= self.replaced:
            codes.append("one that still runs")
            os.kill(self.pid, signal.SIGKILL)
        return codes


class Trouble(threading.Thread):
    """Reloads every second, replaces the process now and then, kills the second origin every few seconds and starts it again;
    samples the process."""

    def __init__(self, bench, row, options):
        super().__init__(daemon=True)
        self.bench, self.gateway, self.options = bench, Gateway(row), options
        self.done, self.reloads, self.broken, self.kills = threading.Event(), 0, 0, []
        self.resident, self.descriptors, self.error = [], [], None
        self.path = bench.lab.path(row.slug(), "gateway.json")
        self.valid = row.configuration()

    def write(self, text):
        # The gateway must never read half a file: replace it as an operator's tool would.
        with open(self.path + ".new", "w") as file:
            file.write(text)
        os.replace(self.path + ".new", self.path)

    def reload(self):
        self.reloads += 1
        if self.reloads % 7 == 0:
            # A file that cannot be used must leave the old configuration running.
            self.broken += 1
            self.write('{ "listeners": [')
        else:
            # Each generation differs, so that none can be shared with the one before.
            extra = {"name": "extra", "match": {"path": "/extra/%d/**" % self.reloads}, "upstream": "things",
                     "authenticate": []}
            self.write(json.dumps(dict(self.valid, routes=self.valid["routes"] + [extra])))
        self.gateway.signal(signal.SIGHUP)

    def replace(self):
        # A process that cannot read its configuration takes over from nobody: the file is a good one by then.
        self.write(json.dumps(self.valid))
        self.gateway.replace()

    def run(self):
        try:
            self.trouble()
        except Exception as error:  # reported by main: a soak without its trouble proves nothing
            self.error = error

    def trouble(self):
        started, next_reload, next_kill, down_until = time.monotonic(), 1.0, self.options.kill_every, None
        next_replacement = self.options.replace_every or float("inf")
        while not self.done.wait(0.05):
            now = time.monotonic() - started
            if now >= next_reload:
                next_reload += 1.0
                self.reload()
                self.resident.append(self.gateway.memory())
                self.descriptors.append(self.gateway.files())
            if now >= next_replacement:
                next_replacement += self.options.replace_every
                self.replace()
            if down_until is None and now >= next_kill:
                self.kills.append([time.time() * 1000, float("inf")])
                self.bench.origins[1].stop(signal.SIGKILL)
                down_until = now + self.options.down_for
            elif down_until is not None and now >= down_until:
                self.bench.origins[1] = self.bench.lab.origin(self.bench.origin_ports[1])
                self.kills[-1][1] = time.time() * 1000
                down_until, next_kill = None, now + self.options.kill_every


def audit(folder):
    """Counts what the trail says: (records by status, records by outcome, events of the trail itself, decisions)."""
    statuses, outcomes, events, decisions = (collections.Counter() for _ in range(4))
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if "outcome" in record:
                    statuses[record["status"]] += 1
                    outcomes[record["outcome"]] += 1
                    decisions[record["decision"]] += 1
                elif "seq" in record:
                    events[str(record.get("event", "?"))] += 1
    return statuses, outcomes, events, decisions


def judge(options, counted, trouble, trail, verified):
    """Every broken promise as a sentence."""
    statuses, outcomes, events, decisions = trail
    wrong = []
    if trouble.error:
        wrong.append("the trouble stopped: %r" % trouble.error)
    for name in ("cut", "truncated", "unaccepted", "stuck"):
        if counted[name]:
            wrong.append("%d requests %s" % (counted[name], name))
    for when, what in counted["events"]:
        near = any(start <= when <= end + options.grace * 1000 for start, end in trouble.kills)
        if what > 0 and (options.strict or what not in (502, 504) or not near):
            wrong.append("status %d at %d, %s" % (what, when, "near a kill" if near else "far from any kill"))
    others = {s: n for s, n in counted["statuses"].items() if s[0] not in "25"}
    if others:
        wrong.append("statuses that are neither 2xx nor 5xx: %s" % others)
    records = sum(statuses.values())
    ended = counted["cut"] + counted["truncated"]
    if not counted["answered"] <= records <= counted["answered"] + ended:
        wrong.append("%d audit records for %d answers and %d cut" % (records, counted["answered"], ended))
    for status, count in counted["statuses"].items():
        if statuses[int(status)] != count and not ended:
            wrong.append("status %s: %d answers, %d records" % (status, count, statuses[int(status)]))
    repeated = sum(1 for n in decisions.values() if n > 1)
    if repeated:
        wrong.append("%d decision ids stand in more than one record" % repeated)
    if any("los" in name for name in events):
        wrong.append("the trail says that records were lost: %s" % dict(events))
    if verified.returncode:
        wrong.append("audit verify: exit %d: %s" % (verified.returncode, (verified.stdout + verified.stderr)[-500:]))
    # Growth is judged from the middle of the run on, when caches and pools are full.
    half = len(trouble.resident) // 2
    if half >= 5 and not trouble.gateway.replaced:
        if trouble.resident[-1] > trouble.resident[half] * 1.25 + 4096:
            wrong.append("memory grew from %d to %d KiB in the second half" % (
                trouble.resident[half], trouble.resident[-1]))
        if trouble.descriptors[-1] > trouble.descriptors[half] + 64:
            wrong.append("file descriptors grew from %d to %d in the second half" % (
                trouble.descriptors[half], trouble.descriptors[-1]))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000, help="requests a second, so that the trouble has time; 0: all")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=0, help="0: as many as the gateway chooses")
    parser.add_argument("--kill-every", type=float, default=3.0, metavar="SECONDS")
    parser.add_argument("--replace-every", type=float, default=8.0, metavar="SECONDS",
                        help="between two processes that take over; 0: none does")
    parser.add_argument("--down-for", type=float, default=1.0, metavar="SECONDS")
    parser.add_argument("--grace", type=float, default=1.0, metavar="SECONDS",
                        help="after an endpoint is back, how long 502 and 504 are still its own")
    parser.add_argument("--strict", action="store_true", help="no 5xx at all")
    parser.add_argument("--tollgate", metavar="PATH")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    workbench.require(["cc"], options.install)
    with workbench.Lab(options.keep) as bench_lab:
        bench_lab.cores = {}  # nothing is pinned: a soak wants every interleaving it can get
        bench = Bench(bench_lab, options)
        adopt_orphans()
        row = peers.Tollgate(bench)
        row.start()
        volley = bench_lab.compile("volley", folder=HERE)
        trouble = Trouble(bench, row, options)
        trouble.start()
        started = time.monotonic()
        done = subprocess.run(
            [volley, "-p", str(row.port), "-c", str(options.connections), "-n", str(options.requests), "-f",
             bench.material["requests.tsv"], "-r", str(options.rate)], capture_output=True, text=True)
        seconds = time.monotonic() - started
        trouble.done.set()
        trouble.join()
        codes = trouble.gateway.stop()
        if not done.stdout.startswith("{"):
            raise workbench.Missing("volley: %s\n%s" % (done.stderr, row.process.log()))
        counted = json.loads(done.stdout)
        folder = bench_lab.path(row.slug(), "audit")
        verified = subprocess.run([bench.binary, "audit", "verify", folder], capture_output=True, text=True)
        trail = audit(folder)
        wrong = judge(options, counted, trouble, trail, verified)
        if any(codes):
            wrong.append("gateways ended with %s after SIGTERM:\n%s" % (codes, row.process.log()))
        print("%d requests in %.1f s over %d connections, %d reloads (%d of them with a broken file), %d processes that took "
              "over, %d kills" % (counted["sent"], seconds, counted["opened"], trouble.reloads, trouble.broken,
                                  trouble.gateway.replaced, len(trouble.kills)))
        print("answers       %s" % counted["statuses"])
        print("connections   %d told to close, %d requests cut, %d truncated, %d not accepted" % (
            counted["toldToClose"], counted["cut"], counted["truncated"], counted["unaccepted"]))
        print("audit         %d records %s; events of the trail %s; verify exit %d" % (
            sum(trail[0].values()), dict(trail[1]), dict(trail[2]), verified.returncode))
        if trouble.resident:
            print("resident KiB  first %d, middle %d, last %d;  descriptors first %d, last %d" % (
                trouble.resident[0], trouble.resident[len(trouble.resident) // 2], trouble.resident[-1],
                trouble.descriptors[0], trouble.descriptors[-1]))
        for sentence in wrong[:40]:
            print("BROKEN: " + sentence)
        if len(wrong) > 40:
            print("… and %d more" % (len(wrong) - 40))
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
