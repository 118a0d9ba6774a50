#!/usr/bin/env python3
"""Twenty thousand open WebSockets: what each costs the gateway, that they work, and that all end in order.

Both ends of every WebSocket are raw sockets in one process with one epoll instance, and the handshake is done by
hand, so that what is measured is the gateway. Clients come from addresses of their own in 127.0.0.0/8, the upstream
listens on four, and no pair of addresses runs out of ports. A WebSocket takes two descriptors of the gateway and two
of its ends' process: where the system allows fewer, as many gateways as it takes share them, each with its own ends,
and the output says so.

What must hold:
  - all are open at once: 101 with the accept value of RFC 6455
  - at most 8 KiB of the gateway's resident memory for each (measured: 4 to 6), sockets of the kernel not counted
  - a message passes both ways on one in a hundred, after all are open
  - requests beside them are answered 200, p99 within 100 ms
  - on SIGTERM every client and every upstream gets a close frame with 1001, and the gateway ends with 0 within
    limits.drainTimeout
  - the audit trail has one record of the opening and one of the close (`shut-down`) for each, with equal decisions,
    verifies, and lost nothing
"""

import base64
import collections
import contextlib
import hashlib
import multiprocessing
import select
import socket
import sys
import time

import trial

KEY = base64.b64encode(b"sixteen bytes ok").decode()
ACCEPT = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
REQUEST = ("GET /socket HTTP/1.1\r\nHost: many.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % KEY).encode()
SWITCH = ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Accept: %s\r\n\r\n" % ACCEPT).encode()
ADDRESSES = ["127.0.0.%d" % n for n in (1, 2, 3, 4)]
GOING_AWAY = (1001).to_bytes(2, "big")
# Descriptors of either process for everything else.
SPARE = 400
DRAIN = 30


def frame(opcode, payload, mask=None):
    """A final frame with at most 125 bytes of payload."""
    head = bytes([0x80 | opcode, len(payload) | (0x80 if mask else 0)])
    if not mask:
        return head + payload
    return head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def read_frame(data):
    """(opcode, payload, whether it was masked, what follows) of such a frame; None while it is not whole."""
    if len(data) < 2:
        return None
    masked, length = data[1] & 0x80, data[1] & 0x7F
    start = 6 if masked else 2
    if len(data) < start + length:
        return None
    payload = data[start:start + length]
    if masked:
        payload = bytes(b ^ data[2 + i % 4] for i, b in enumerate(payload))
    return data[0] & 0x0F, payload, bool(masked), data[start + length:]


class Ends:
    """Both ends of many WebSockets through one gateway."""

    def __init__(self, gateway_port, upstream_port, first):
        self.port, self.first, self.poll = gateway_port, first, select.epoll()
        self.listeners, self.clients, self.upstreams = {}, {}, {}
        for address in ADDRESSES:
            listener = socket.create_server((address, upstream_port), backlog=4096)
            listener.setblocking(False)
            self.listeners[listener.fileno()] = listener
            self.poll.register(listener, select.EPOLLIN)
        # Bytes that are not whole yet, and who speaks frames by now, by descriptor.
        self.input, self.switched = {}, set()
        self.opened, self.wrong, self.waiting = 0, collections.Counter(), 0
        # What was heard after the opening, by end: messages, and payloads of close frames.
        self.messages, self.closes = {"client": [], "upstream": []}, collections.Counter()
        self.ended = collections.Counter()

    def open(self, count, at_once=200):
        """Opens `count`, at most `at_once` handshakes under way; returns how many are open."""
        started, quiet = 0, time.monotonic()
        while self.opened + sum(self.wrong.values()) < count and time.monotonic() - quiet < 20:
            while started < count and self.waiting < at_once:
                number = self.first + started
                client = trial.connect(self.port, "127.%d.%d.%d" % (
                    1 + number // 62500, number // 250 % 250, 2 + number % 250))
                self.clients[client.fileno()] = client
                self.poll.register(client, select.EPOLLOUT)
                started, self.waiting = started + 1, self.waiting + 1
            if self.turn(1):
                quiet = time.monotonic()
        return self.opened

    def turn(self, seconds):
        """Handles what happens within `seconds`; returns whether anything did."""
        events = self.poll.poll(seconds)
        for descriptor, event in events:
            if descriptor in self.listeners:
                self.accept(self.listeners[descriptor])
            elif descriptor in self.clients and event & select.EPOLLOUT:
                self.poll.modify(descriptor, select.EPOLLIN)
                try:
                    self.clients[descriptor].send(REQUEST)
                except OSError as error:
                    self.fail(descriptor, repr(error))
            else:
                self.receive(descriptor)
        return bool(events)

    def accept(self, listener):
        while True:
            try:
                upstream, _ = listener.accept()
            except BlockingIOError:
                return
            upstream.setblocking(False)
            self.upstreams[upstream.fileno()] = upstream
            self.poll.register(upstream, select.EPOLLIN)

    def fail(self, descriptor, why):
        self.wrong[why] += 1
        self.waiting -= 1
        self.clients.pop(descriptor).close()

    def receive(self, descriptor):
        end = "client" if descriptor in self.clients else "upstream"
        side = self.clients if end == "client" else self.upstreams
        try:
            data = side[descriptor].recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = None
        if not data:
            self.ended[end, "end" if data == b"" else "reset"] += 1
            side.pop(descriptor).close()
            self.input.pop(descriptor, None)
            self.switched.discard(descriptor)
            return
        self.take(end, side, descriptor, self.input.pop(descriptor, b"") + data)

    def take(self, end, side, descriptor, data):
        if descriptor not in self.switched:
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                self.input[descriptor] = data
                return
            if end == "upstream":
                if b"pgrade: websocket" not in head:
                    side[descriptor].send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n")
                    self.input[descriptor] = rest
                    return
                side[descriptor].send(SWITCH)
            elif head.startswith(b"HTTP/1.1 101 ") and ACCEPT.encode() in head:
                self.opened, self.waiting = self.opened + 1, self.waiting - 1
            else:
                return self.fail(descriptor, head[:30].decode(errors="replace"))
            self.switched.add(descriptor)
            data = rest
        while data and (whole := read_frame(data)):
            opcode, payload, masked, data = whole
            # Frames towards the upstream are masked, those towards clients are not (RFC 6455 §5.1).
            if masked != (end == "upstream"):
                self.wrong["mask of a frame towards the " + end] += 1
            if opcode == 8:
                self.closes[end, payload[:2]] += 1
                # The gateway may be gone by now: it ends after its close frame and awaits none.
                with contextlib.suppress(OSError):
                    side[descriptor].send(frame(8, payload[:2], b"mask" if end == "client" else None))
                    side[descriptor].shutdown(socket.SHUT_WR)
            elif end == "upstream":
                self.messages[end].append(payload)
                side[descriptor].send(frame(1, b"back: " + payload))
            else:
                self.messages[end].append(payload)
        if data:
            self.input[descriptor] = data

    def talk(self, every=100):
        """Sends a message on one in `every`; returns (sent, those that came back right)."""
        sent = []
        for number, (descriptor, client) in enumerate(self.clients.items()):
            if number % every == 0 and descriptor in self.switched:
                sent.append(b"hello %d" % descriptor)
                client.send(frame(1, sent[-1], b"\x01\x02\x03\x04"))
        deadline = time.monotonic() + 20
        while len(self.messages["client"]) < len(sent) and time.monotonic() < deadline:
            self.turn(0.5)
        right = set(self.messages["upstream"]) == set(sent) and len(self.messages["upstream"]) == len(sent)
        back = set(self.messages["client"]) & {b"back: " + text for text in sent}
        return len(sent), len(back) if right else 0

    def await_end(self, seconds):
        deadline = time.monotonic() + seconds
        while (self.clients or self.upstreams) and time.monotonic() < deadline:
            self.turn(0.5)


def ends(gateway_port, upstream_port, first, count, pipe):
    """A process with both ends: opens, talks, serves what is asked beside, and tells how all ended."""
    trial.descriptors()
    both = Ends(gateway_port, upstream_port, first)
    pipe.send("listening")

    def serve_until_told():
        while not pipe.poll():
            both.turn(0.005)
        pipe.recv()

    serve_until_told()
    began = time.monotonic()
    pipe.send((both.open(count), dict(both.wrong), time.monotonic() - began))
    serve_until_told()
    pipe.send(both.talk())
    serve_until_told()
    both.await_end(DRAIN + 10)
    pipe.send((dict(both.closes), dict(both.ended), len(both.clients), dict(both.wrong)))


class Share:
    """One gateway with its part of the WebSockets."""

    def __init__(self, bench_lab, binary, number, count, first):
        self.count, upstream_port = count, trial.lab.free_port()
        self.gateway = trial.Gateway(bench_lab, binary, {
            "limits": {"drainTimeout": "%ds" % DRAIN, "maximumConnections": 1_000_000},
            "upstreams": {"many": {
                "endpoints": ["http://%s:%d" % (address, upstream_port) for address in ADDRESSES],
                "maximumConnectionsPerWorker": 1_000_000, "maximumPendingPerWorker": 100_000}},
            "routes": [{"name": "all", "match": {"path": "/**"}, "upstream": "many", "authenticate": []}]},
            name="gateway-%d" % number)
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(
            target=ends, args=(self.gateway.port, upstream_port, first, count, other), daemon=True)
        self.process.start()
        self.pipe.recv()


def main():
    parser = trial.arguments(__doc__)
    parser.add_argument("--sockets", type=int, default=20_000)
    options = parser.parse_args()
    verdict = trial.Verdict()
    with trial.laboratory(options) as bench_lab:
        most = (trial.descriptors() - SPARE) // 2
        shares = -(-options.sockets // most)
        if shares > 1:
            print("the limit on open files lets one gateway hold %d WebSockets: %d gateways share %d" % (
                most, shares, options.sockets))
        binary = trial.lab.gateway_binary(options.tollgate)
        parts = [options.sockets // shares + (number < options.sockets % shares) for number in range(shares)]
        all_ = [Share(bench_lab, binary, number, part, sum(parts[:number])) for number, part in enumerate(parts)]
        # What the first requests bring along is not a WebSocket's.
        warm = [trial.paced(bench_lab, share.gateway.port, 500, 1, 16, "/warm") for share in all_]
        verdict.hold("requests are answered before", all(w["statuses"] == {"200": w["sent"]} for w in warm),
                     [w["statuses"] for w in warm])
        before = [share.gateway.resident() for share in all_]
        opened = []
        for share in all_:
            share.pipe.send("open")
            opened.append(share.pipe.recv())
            print("%d of %d open after %.1f s%s" % (
                opened[-1][0], share.count, opened[-1][2], ", failed: %s" % opened[-1][1] if opened[-1][1] else ""))
        verdict.hold("%d are open at once" % options.sockets, sum(o[0] for o in opened) == options.sockets)
        counted = sum(share.gateway.metric("tollgate_streams", 'kind="websocket"') for share in all_)
        verdict.hold("the gateway counts as many", counted == options.sockets, "%d" % counted)
        after = [share.gateway.resident() for share in all_]
        each = (sum(after) - sum(before)) / options.sockets
        print("memory: %s KiB before, %s after" % (before, after))
        verdict.hold("at most 8 KiB of the gateway for each", each <= 8, "%.2f KiB" % each)
        talked = []
        for share in all_:
            share.pipe.send("talk")
            talked.append(share.pipe.recv())
        verdict.hold("a message passes both ways on one in a hundred", all(s and s == b for s, b in talked), talked)
        beside = [trial.paced(bench_lab, share.gateway.port, 100, 3, 8, "/beside") for share in all_]
        verdict.hold("requests beside them are answered", all(b["statuses"] == {"200": b["sent"]} for b in beside),
                     [b["statuses"] for b in beside])
        highest = max(b["latency"].get("200", [0, 1e9])[1] for b in beside)
        verdict.hold("… p99 within 100 ms", highest <= 100_000, "%.2f ms" % (highest / 1000))
        for number, share in enumerate(all_):
            share.pipe.send("end")
            share.gateway.end(verdict, DRAIN)
            closes, how, left, wrong = share.pipe.recv()
            for end in ("client", "upstream"):
                right = closes.get((end, GOING_AWAY), 0)
                verdict.hold("every %s gets a close frame with 1001" % end, right == share.count,
                             "%d of %d; %s" % (right, share.count, {k[1]: n for k, n in how.items() if k[0] == end}))
            verdict.hold("nothing else went wrong at the ends", not wrong and not left, "%s, %d left" % (wrong, left))
            phases = collections.defaultdict(dict)
            for record in share.gateway.records():
                if record.get("phase"):
                    phases[record["decision"]][record["phase"]] = record["reason"]
            whole = sum(set(p) == {"open", "close"} and p["close"] == "shut-down" for p in phases.values())
            verdict.hold("a record of opening and close for each", whole == len(phases) == share.count,
                         "%d of %d" % (whole, share.count))
    return verdict.code()


if __name__ == "__main__":
    sys.exit(main())
