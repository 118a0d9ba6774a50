#!/usr/bin/env python3
"""Five thousand slow clients at once: the well-behaved do not notice, and the slow ones do not last.

5,000 connections send a request's head a byte every two seconds, 250 a body a byte a second, 50 read an answer of 8
MiB at 100 bytes a second (more would be a test of the kernel: it buffers megabytes for each, and all sockets of the
machine share `tcp_mem`); each comes back as soon as it is ended. Meanwhile well-behaved clients ask 2,000 times a
second at a pace that does not wait for answers, over 32 connections; their latency counts from the moment a request
was due. Phases without and with the slow ones take turns in one run of the gateway, and medians are compared, so that
a machine that is slow for a while is slow for both.

The question is what the gateway makes of the slow ones, not what they take from those who measure, who in life are on
other machines. So the gateway has one core, and one loop on it; the well-behaved clients and their origin run on
another before all others (SCHED_RR, where that is allowed: root), the slow clients and theirs after all others
(SCHED_IDLE). Nothing else sleeps meanwhile, for cores of a virtual machine that sleep wake late. The p99 straight to
the origin, past the gateway and beside the slow clients, is printed as well: what the machine adds by itself. So is
what the kernel holds for all sockets of the machine.

What must hold:
  - the well-behaved: all answered 200, none cut; p99 with the slow ones at most 2x that without
  - heads end within headerTimeout with 408; bodies within bodyTimeout with 408; readers are reset within twice
    bodyTimeout (what the kernels buffer comes first); 5 s of grace, because those who look give way to all others
  - memory: 16 KiB a connection that sends slowly, 512 KiB one that reads slowly (the architecture's bound is 256
    KiB and one read of the upstream), 16 MiB for the rest
  - the audit trail has a record for each 408, verifies, and lost nothing
"""

import collections
import heapq
import multiprocessing
import os
import select
import statistics
import sys
import time

import trial

HEADER_TIMEOUT, BODY_TIMEOUT, GRACE = 5, 5, 5
LARGE = 8 << 20
HEAD = b"GET /slow HTTP/1.1\r\nHost: slow.example\r\nX-Drip: "
BODY = b"POST /slow HTTP/1.1\r\nHost: slow.example\r\nContent-Length: 1000000\r\n\r\n"
READ = b"GET /large HTTP/1.1\r\nHost: slow.example\r\n\r\n"
LONGEST = {"head": HEADER_TIMEOUT + GRACE, "body": BODY_TIMEOUT + GRACE, "read": 2 * BODY_TIMEOUT + GRACE}


class Slow:
    """One slow client: what it does each time it is its turn."""

    def __init__(self, kind, number, port, poll):
        self.kind, self.number, self.port, self.poll = kind, number, port, poll
        self.lives = 0

    def open(self, now):
        self.lives, self.began, self.sent, self.answer = self.lives + 1, now, 0, b""
        source = "127.%d.%d.%d" % (1 + self.number // 62500, self.number // 250 % 250, 2 + self.number % 250)
        self.client = trial.connect(self.port, source, 4096 if self.kind == "read" else None)
        # Whoever reads slowly hears of the end alone.
        self.poll.register(self.client, 0 if self.kind == "read" else select.EPOLLIN)

    def step(self, now):
        """Goes on by one byte; returns when it wants its next turn."""
        if self.kind == "read":
            if self.sent:
                self.client.recv(100)
            else:
                self.sent = self.client.send(READ)
            return now + 1
        if self.kind == "body":
            self.sent += self.client.send(b"x" if self.sent else BODY)
            return now + 1
        # The first byte begins the head; what can be told from the first few is sent slowly too.
        self.client.send(HEAD[self.sent:self.sent + 1] or b"x")
        self.sent += 1
        return now + 2


def attack(port, counts, pipe, spread):
    """Keeps all slow clients at it until the pipe says stop; then tells what became of them."""
    trial.give_way()
    trial.descriptors()
    poll, clients, turns = select.epoll(), {}, []
    ended = collections.defaultdict(list)
    slow = [Slow(kind, number, port, poll) for number, kind in enumerate(
        kind for kind, count in counts.items() for _ in range(count))]
    began = time.monotonic()
    for place, one in enumerate(sorted(slow, key=lambda s: hash((s.number * 7919) % len(slow)))):
        heapq.heappush(turns, (began + spread * place / len(slow), one.number, 0))
    told = False
    while not pipe.poll():
        now = time.monotonic()
        if not told and now > began + spread + 0.5:
            told = True
            pipe.send(len(clients))
        while turns and turns[0][0] <= now:
            _, number, life = heapq.heappop(turns)
            one = slow[number]
            if life != one.lives:
                continue
            if life == 0:
                one.open(now)
                clients[one.client.fileno()] = one
            try:
                due = one.step(now)
            except BlockingIOError:
                due = now + 0.1
            except OSError:
                # Its end is about to be told.
                due = now + 1
            heapq.heappush(turns, (due, number, one.lives))
        for descriptor, event in poll.poll(max(0.001, min(0.05, turns[0][0] - now)) if turns else 0.05):
            one = clients[descriptor]
            try:
                data = one.client.recv(4096) if one.kind != "read" else b""
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            one.answer += data
            if data:
                continue
            now = time.monotonic()
            ended[one.kind].append((one.answer[9:12].decode(), now - one.began))
            del clients[descriptor]
            one.client.close()
            one.open(now)
            clients[one.client.fileno()] = one
            heapq.heappush(turns, (now, one.number, one.lives))
    now = time.monotonic()
    pipe.send((dict(ended), {kind: max((now - one.began for one in clients.values() if one.kind == kind), default=0)
                             for kind in counts}))


def main():
    parser = trial.arguments(__doc__)
    parser.add_argument("--connections", type=int, default=5000, help="that send heads slowly")
    parser.add_argument("--bodies", type=int, default=250, help="that send bodies slowly")
    parser.add_argument("--readers", type=int, default=50, help="that read answers slowly")
    parser.add_argument("--rate", type=int, default=2000, help="requests a second of the well-behaved")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    counts = {"head": options.connections, "body": options.bodies, "read": options.readers}
    verdict = trial.Verdict()
    with trial.laboratory(options) as bench_lab:
        small, large = trial.lab.free_port(), trial.lab.free_port()
        bench_lab.cores = trial.lab.cores()
        trial.keep_awake()
        # Whoever is started without a core of its own is beside the gateway.
        os.sched_setaffinity(0, bench_lab.cores["load"])
        origin = bench_lab.origin(small)
        if not trial.come_first(origin.popen.pid):
            print("NOTE   may not go before others (SCHED_RR): the p99 is also that of a crowded core", flush=True)
        patient = bench_lab.start(
            "large", [bench_lab.compile("origin"), "-p", str(large), "-b", str(LARGE)], on="origin", port=large)
        trial.give_way(patient.popen.pid)
        gateway = trial.Gateway(bench_lab, trial.lab.gateway_binary(options.tollgate), {
            "workers": len(bench_lab.cores["proxy"]),
            "limits": {"headerTimeout": "%ds" % HEADER_TIMEOUT, "bodyTimeout": "%ds" % BODY_TIMEOUT},
            "upstreams": {"small": {"endpoints": ["http://127.0.0.1:%d" % small]},
                          "large": {"endpoints": ["http://127.0.0.1:%d" % large]}},
            "routes": [{"name": "large", "match": {"path": "/large"}, "upstream": "large", "authenticate": []},
                       {"name": "all", "match": {"path": "/**"}, "upstream": "small", "authenticate": []}]})

        def well_behaved(seconds, port=gateway.port):
            return trial.paced(bench_lab, port, options.rate, seconds, 32, "/well", first=True)

        well_behaved(2)
        before = gateway.resident()
        quiet, besieged, ended, oldest, memory = [], [], collections.defaultdict(list), collections.Counter(), []
        for number in range(options.rounds):
            quiet.append(well_behaved(5))
            pipe, other = multiprocessing.Pipe()
            attackers = multiprocessing.Process(
                target=attack, args=(gateway.port, counts, other, HEADER_TIMEOUT), daemon=True)
            attackers.start()
            connected = pipe.recv()
            besieged.append(well_behaved(8))
            memory.append(gateway.resident())
            kernel = trial.kernel_memory()
            past = well_behaved(3, small)
            pipe.send("stop")
            ends, ages = pipe.recv()
            attackers.join()
            for kind, list_ in ends.items():
                ended[kind] += list_
            for kind, age in ages.items():
                oldest[kind] = max(oldest[kind], age)
            (middle, high), (besieged_middle, besieged_high), (_, past_high) = (
                [micros / 1000 for micros in phase["latency"]["200"][:2]] for phase in (quiet[-1], besieged[-1], past))
            print("round %d: p99 of the well-behaved %.2f ms alone, %.2f ms beside %d slow clients (medians %.2f, "
                  "%.2f); past the gateway %.2f ms; %d KiB, the kernel %d MiB" % (
                      number + 1, high, besieged_high, connected, middle, besieged_middle, past_high, memory[-1],
                      kernel >> 20), flush=True)
            # All of them are gone before the next phase is measured.
            gateway.wait_until(lambda: gateway.process.files() < options.connections / 10, 10)

        answered = sum(p["statuses"].get("200", 0) for p in quiet + besieged)
        sent = sum(p["sent"] for p in quiet + besieged)
        verdict.hold("every well-behaved request is answered 200", answered == sent, "%d of %d" % (answered, sent))
        alone, beside = (statistics.median(p["latency"]["200"][1] for p in phases) for phases in (quiet, besieged))
        verdict.hold("p99 of the well-behaved at most 2x with slow ones", beside <= 2 * alone,
                     "%.2f ms alone, %.2f ms beside them, %.2fx" % (alone / 1000, beside / 1000, beside / alone))
        highs = [p["latency"]["200"][1] for p in quiet]
        if max(highs) > 2 * min(highs):
            print("       p99 alone differs by %.1fx from phase to phase: this machine has other things to do" % (
                max(highs) / min(highs)))
        for kind, how in (("head", "408"), ("body", "408"), ("read", "")):
            ways = collections.Counter(status for status, _ in ended[kind])
            longest = max([age for _, age in ended[kind]] + [oldest[kind]])
            verdict.hold("those that are slow in the %s are ended%s" % (kind, " with " + how if how else ""),
                         ended[kind] and (not how or set(ways) == {how}), dict(ways))
            verdict.hold("… none is older than %d s" % LONGEST[kind], longest <= LONGEST[kind], "%.1f s" % longest)
        bound = (counts["head"] + counts["body"]) * 16 + counts["read"] * 512 + 16 * 1024
        verdict.hold("memory grows by %d KiB at most" % bound, max(memory) - before <= bound,
                     "%d KiB before, %s beside the slow ones" % (before, memory))
        gateway.end(verdict, 15)
        reasons = collections.Counter(r["reason"] for r in gateway.records())
        print("audit records by reason: %s" % dict(reasons))
        for kind, names in (("head", ["head-timeout"]), ("body", ["body-timeout", "body-too-slow"])):
            told = sum(status == "408" for status, _ in ended[kind])
            written = sum(reasons[name] for name in names)
            verdict.hold("a record for each 408 of a slow %s" % kind, written >= told > 0,
                         "%d for %d" % (written, told))
    return verdict.code()


if __name__ == "__main__":
    sys.exit(main())
