#!/usr/bin/env python3
"""Three times what the upstream can do, for 15 seconds: who is admitted notices nothing, all others hear so at once.

The origin serves 20 requests at a time and takes 20 ms for each, so 1,000 a second; more wait in a queue of its own.
The gateway is set as an operator would who knows that: together its event loops hold 20 connections, and each lets no
more requests wait than its share of them serves in 20 ms. Clients keep to their pace whatever becomes of their
requests (an open loop), and latency counts from the moment a request was due.

What must hold:
  - at half the capacity every request is admitted
  - at three times the capacity the admitted ones' p99 is at most 4x their p99 at half of it: 20 ms of service and
    at most 20 ms of waiting are 2x, the rest is for two busy cores; the origin is kept busy (at least 80 % of its
    capacity)
  - everybody else gets 503 with Retry-After, p99 within 100 ms; nobody is cut, nothing else is answered
  - the gateway's memory grows by 32 MiB at most
  - the audit trail has one record for each request, by status, verifies, and lost nothing

  overload.py --limit maximumRequests=60    with another member of `limits`, instead of the upstream's queue
"""

import collections
import heapq
import multiprocessing
import select
import socket
import sys
import time

import trial

SERVICE, PLACES = 0.020, 20
CAPACITY = PLACES / SERVICE
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"


def origin(listener):
    """Serves PLACES requests at a time, each for SERVICE seconds; the others wait. One request a connection."""
    poll = select.epoll()
    poll.register(listener, select.EPOLLIN)
    clients, busy, waiting = {}, [], collections.deque()
    while True:
        now = time.monotonic()
        while busy and busy[0][0] <= now:
            _, number = heapq.heappop(busy)
            if number in clients:
                clients[number].send(ANSWER)
        while waiting and len(busy) < PLACES:
            heapq.heappush(busy, (now + SERVICE, waiting.popleft()))
        for number, _ in poll.poll(max(0, busy[0][0] - now) if busy else None):
            if number == listener.fileno():
                client, _ = listener.accept()
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
                continue
            try:
                head = clients[number].recv(65536)
            except OSError:
                head = b""
            if head:
                waiting.append(number)
            else:
                clients.pop(number).close()


def settings(options, origin_port, workers):
    limits, upstream = {}, {"maximumConnectionsPerWorker": PLACES // workers,
                            "maximumIdlePerWorker": PLACES // workers,
                            "maximumPendingPerWorker": PLACES // workers}
    for limit in options.limit:
        name, _, value = limit.partition("=")
        limits[name] = int(value)
        upstream = {}
    return {
        "workers": workers, "limits": limits,
        "upstreams": {"origin": {"endpoints": ["http://127.0.0.1:%d" % origin_port], **upstream}},
        "routes": [{"name": "all", "match": {"path": "/**"}, "upstream": "origin", "authenticate": []}]}


def say(name, counted, seconds):
    print("%s: %d requests in %d s, answers %s" % (name, counted["sent"], seconds, counted["statuses"]))
    for status, (median, high, highest) in counted["latency"].items():
        print("  %s: median %.1f ms, p99 %.1f ms, highest %.1f ms" % (
            status, median / 1000, high / 1000, highest / 1000))
    sys.stdout.flush()


def main():
    parser = trial.arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER",
                        help="a member of `limits`; the upstream's own bounds are then left at their defaults")
    options = parser.parse_args()
    verdict = trial.Verdict()
    with trial.laboratory(options) as bench_lab:
        listener = socket.create_server(("127.0.0.1", trial.lab.free_port()), backlog=1024)
        serving = multiprocessing.Process(target=origin, args=(listener,), daemon=True)
        serving.start()
        gateway = trial.Gateway(bench_lab, trial.lab.gateway_binary(options.tollgate),
                                settings(options, listener.getsockname()[1], 2))
        trial.paced(bench_lab, gateway.port, CAPACITY / 2, 2, 256, "/warm")
        calm = trial.paced(bench_lab, gateway.port, CAPACITY / 2, 8, 256, "/calm")
        say("half the capacity", calm, 8)
        before = gateway.resident()
        storm = trial.paced(bench_lab, gateway.port, CAPACITY * 3, options.seconds, 1024, "/storm")
        say("three times the capacity", storm, options.seconds)
        memory, highest = gateway.process.rss()
        print("memory: %d KiB before, %d after, %d at most" % (before, memory, highest))

        verdict.hold("at half the capacity all are admitted", calm["statuses"] == {"200": calm["sent"]},
                     calm["statuses"])
        admitted, refused = storm["statuses"].get("200", 0), storm["statuses"].get("503", 0)
        verdict.hold("every request is answered, with 200 or 503", admitted + refused == storm["sent"],
                     "%d and %d of %d, %d cut, %d truncated, %d stuck" % (
                         admitted, refused, storm["sent"], storm["cut"], storm["truncated"], storm["stuck"]))
        verdict.hold("every 503 says Retry-After", not storm["withoutRetryAfter"], storm["withoutRetryAfter"])
        verdict.hold("the origin is kept busy", admitted >= 0.8 * CAPACITY * options.seconds,
                     "%d admitted a second" % (admitted / options.seconds))
        quiet, loud = calm["latency"].get("200", [0, 0, 0])[1], storm["latency"].get("200", [0, 0, 0])[1]
        verdict.hold("p99 of the admitted at most 4x that at half the capacity", 0 < loud <= 4 * quiet,
                     "%.1f ms beside %.1f ms, %.1fx" % (loud / 1000, quiet / 1000, loud / max(1, quiet)))
        late = storm["latency"].get("503", [0, 0, 0])[1]
        verdict.hold("p99 of the refused within 100 ms", refused > 0 and late <= 100_000, "%.1f ms" % (late / 1000))
        verdict.hold("memory grows by 32 MiB at most", highest - before <= 32768, "%d KiB" % (highest - before))
        gateway.end(verdict, 10)
        records = collections.Counter(
            (r["path"], str(r["status"])) for r in gateway.records() if r["path"] in ("/calm", "/storm"))
        answers = collections.Counter({("/calm", s): n for s, n in calm["statuses"].items()})
        answers.update({("/storm", s): n for s, n in storm["statuses"].items()})
        verdict.hold("one audit record for each request, by status", records == answers, dict(records))
        serving.terminate()
    return verdict.code()


if __name__ == "__main__":
    sys.exit(main())
