#!/usr/bin/env python3
"""What RFC 9113 and RFC 7541 ask of a server, and what attackers ask of it, over a cleartext connection to the gateway.

    Tests/interop/http2.py [PORT]

Without a port a gateway of its own is started, as in interop.py, in front of an echoing origin. One line for each case that does
not hold, a closing line with the sums; exit status 1 when there was any.
"""

import itertools
import pathlib
import struct
import sys
import tempfile
import time

import peers
from http2_frames import (
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR,
    GOAWAY, HEADERS, PADDED, PREFACE, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
    STREAM_CLOSED, WHOLE, WINDOW_UPDATE, WITH_PRIORITY, Peer, data, frame, ping, priority, reset, settings, window)

CASES = []


def case(name, *initial):
    """A case gets a connection whose handshake is done, and raises when something is not as it should be."""
    def add(body):
        CASES.append((name, initial, body))
        return body
    return add


def refused(name, make, *codes, streams=False):
    """The frames that `make` gives for a connection are an error of these codes."""
    @case(name)
    def _(peer):
        peer.send(make(peer))
        peer.expect_error(*codes, streams=streams)


def answered(name, make):
    """The frames that `make` gives are a request on stream 1 that is answered."""
    @case(name)
    def _(peer):
        peer.send(make(peer))
        peer.wait_for(HEADERS, lambda _, stream, __: stream == 1)


def ignored(name, make):
    """The frames that `make` gives change nothing."""
    @case(name)
    def _(peer):
        peer.send(make(peer) + ping())
        peer.expect_pong()


def after_answer(name, make, *codes, streams=False):
    """The frames come when stream 1 has been answered. Without codes they are to be ignored."""
    @case(name)
    def _(peer):
        peer.send(peer.headers(1))
        peer.wait_for(DATA, lambda flags, _, __: flags & END_STREAM)
        peer.send(make(peer))
        if codes:
            peer.expect_error(*codes, streams=streams)
        else:
            peer.send(ping())
            peer.expect_pong()


def post(peer, *more, flags=END_HEADERS):
    return peer.headers(1, *more, flags=flags, method="POST")


def parts(peer, *sizes, first=END_STREAM, more=()):
    """HEADERS of stream 1 with so many octets of the block, then CONTINUATIONs with the rest."""
    block = peer.block(*more)
    octets = frame(HEADERS, first, 1, block[:sizes[0]])
    for size in sizes[1:]:
        octets += frame(CONTINUATION, 0, 1, block[sizes[0]:sizes[0] + size])
        block = block[:sizes[0]] + block[sizes[0] + size:]
    return octets, block[sizes[0]:]


def whole_parts(peer, *sizes, more=()):
    octets, rest = parts(peer, *sizes, more=more)
    return octets + frame(CONTINUATION, END_HEADERS, 1, rest)


MANY = [(f"x-filler-{number}", "y" * 100) for number in range(10)]

# ------------------------------------------------------------------------- requests in every form (RFC 9113 §§6, 8)

answered("a POST", lambda p: post(p) + data(1))
answered("a POST with padding", lambda p: post(p) + data(1, b"\x06test" + bytes(6), END_STREAM | PADDED))
answered("a POST in several DATA frames", lambda p: post(p) + data(1, flags=0) + data(1))
answered("padded HEADERS", lambda p: frame(HEADERS, WHOLE | PADDED, 1, b"\x06" + p.block() + bytes(6)))
answered("HEADERS with priority",
         lambda p: frame(HEADERS, WHOLE | WITH_PRIORITY, 1, struct.pack(">IB", 0, 255) + p.block()))
answered("HEADERS and CONTINUATIONs", lambda p: whole_parts(p, 20, 40, 100, more=MANY))
answered("the largest frame", lambda p: post(p) + data(1, bytes(16384)))
answered("HEAD", lambda p: p.headers(1, method="HEAD"))
answered("OPTIONS", lambda p: p.headers(1, method="OPTIONS"))
ignored("PRIORITY of an idle stream", lambda p: priority(1))
after_answer("WINDOW_UPDATE after the end", lambda p: window(1, 100))
after_answer("PRIORITY after the end", lambda p: priority(1))
after_answer("RST_STREAM after the end", lambda p: reset(1))

# ----------------------------------------------------------------------------------------- frames (§4, §5.5, §6, §7)

ignored("an unknown frame", lambda p: frame(0x16, 0, 0, bytes(8)))
ignored("undefined flags", lambda p: ping(flags=0x16))
ignored("the reserved bit of a stream's number", lambda p: ping(stream=0x80000000))
ignored("an acknowledged PING that was not sent", lambda p: ping(b"invalid!", ACK))
ignored("an unknown parameter", lambda p: settings((0xFF, 1)))
ignored("an unknown code of an error", lambda p: post(p) + reset(1, 0xFF))
refused("DATA beyond the largest frame", lambda p: post(p) + data(1, bytes(16385)), FRAME_SIZE_ERROR, streams=True)
refused("HEADERS beyond the largest frame", lambda p: frame(HEADERS, WHOLE, 1, p.block() + bytes(16384)),
        FRAME_SIZE_ERROR)
refused("an unknown frame within a header block",
        lambda p: parts(p, 5)[0] + frame(0xFF, 0, 1, bytes(8)), PROTOCOL_ERROR)
refused("PRIORITY within a header block", lambda p: parts(p, 5)[0] + priority(1), PROTOCOL_ERROR)
refused("DATA within a header block", lambda p: parts(p, 5, 3)[0] + data(1), PROTOCOL_ERROR)
refused("HEADERS of another stream within a header block", lambda p: parts(p, 5)[0] + p.headers(3), PROTOCOL_ERROR)
for kind, payload in [(DATA, b"x"), (PRIORITY, struct.pack(">IB", 0, 1)), (RST_STREAM, bytes(4))]:
    refused(f"frame {kind} on stream 0", lambda p, k=kind, b=payload: frame(k, 0, 0, b), PROTOCOL_ERROR)
refused("HEADERS on stream 0", lambda p: p.headers(0), PROTOCOL_ERROR)
refused("CONTINUATION on stream 0", lambda p: parts(p, 5)[0] + frame(CONTINUATION, END_HEADERS, 0), PROTOCOL_ERROR)
refused("SETTINGS on a stream", lambda p: settings((3, 100), stream=1), PROTOCOL_ERROR)
refused("PING on a stream", lambda p: ping(stream=1), PROTOCOL_ERROR)
refused("GOAWAY on a stream", lambda p: frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR)
refused("padding longer than DATA", lambda p: post(p) + data(1, b"\x06test", END_STREAM | PADDED), PROTOCOL_ERROR)
refused("padding longer than HEADERS",
        lambda p: frame(HEADERS, WHOLE | PADDED, 1, b"\xff" + p.block()[:20]), PROTOCOL_ERROR)
refused("PRIORITY of 4 octets", lambda p: frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR, streams=True)
refused("RST_STREAM of 3 octets", lambda p: post(p) + frame(RST_STREAM, 0, 1, bytes(3)), FRAME_SIZE_ERROR)
refused("SETTINGS of 3 octets", lambda p: frame(SETTINGS, 0, 0, bytes(3)), FRAME_SIZE_ERROR)
refused("an acknowledgement with a payload", lambda p: settings((3, 1), flags=ACK), FRAME_SIZE_ERROR)
refused("PING of 6 octets", lambda p: ping(bytes(6)), FRAME_SIZE_ERROR)
refused("WINDOW_UPDATE of 3 octets", lambda p: frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR)
for pair, code in [((2, 2), PROTOCOL_ERROR), ((4, 1 << 31), FLOW_CONTROL_ERROR), ((5, 16383), PROTOCOL_ERROR),
                   ((5, 1 << 24), PROTOCOL_ERROR)]:
    refused(f"SETTINGS {pair}", lambda p, s=pair: settings(s), code)
refused("PUSH_PROMISE of a client", lambda p: frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + p.block()), PROTOCOL_ERROR)


@case("a connection is closed behind its GOAWAY")
def _(peer):
    peer.send(data(1))
    peer.expect_error(PROTOCOL_ERROR)
    try:
        while True:
            peer.read()
    except EOFError:
        pass


@case("SETTINGS are acknowledged")
def _(peer):
    peer.send(settings((3, 100)))
    peer.wait_for(SETTINGS, lambda flags, _, __: flags & ACK)


# ------------------------------------------------------------------------------------------- states of streams (§5.1)

for name, make in [("DATA", lambda p: data(1)), ("RST_STREAM", lambda p: reset(1)),
                   ("WINDOW_UPDATE", lambda p: window(1, 1)),
                   ("CONTINUATION", lambda p: frame(CONTINUATION, END_HEADERS, 1, p.block()))]:
    refused(f"{name} on an idle stream", make, PROTOCOL_ERROR)
refused("DATA after END_STREAM", lambda p: p.headers(1) + data(1), STREAM_CLOSED, streams=True)
refused("HEADERS after END_STREAM", lambda p: p.headers(1) + p.headers(1), STREAM_CLOSED, streams=True)
refused("CONTINUATION after END_HEADERS", lambda p: p.headers(1) + frame(CONTINUATION, END_HEADERS, 1, p.block()),
        PROTOCOL_ERROR, STREAM_CLOSED)
refused("CONTINUATION after DATA", lambda p: post(p) + data(1, flags=0) + frame(CONTINUATION, END_HEADERS, 1),
        PROTOCOL_ERROR)
refused("DATA after RST_STREAM", lambda p: post(p) + reset(1) + data(1), STREAM_CLOSED, streams=True)
refused("HEADERS after RST_STREAM", lambda p: post(p) + reset(1) + p.headers(1), STREAM_CLOSED, streams=True)
after_answer("DATA on a stream that is over", lambda p: data(1), STREAM_CLOSED, streams=True)
after_answer("HEADERS on a stream that is over", lambda p: p.headers(1), STREAM_CLOSED)
after_answer("CONTINUATION on a stream that is over", lambda p: frame(CONTINUATION, END_HEADERS, 1, p.block()),
             PROTOCOL_ERROR, STREAM_CLOSED)
refused("an even number", lambda p: p.headers(2), PROTOCOL_ERROR)
refused("a lower number than before", lambda p: p.headers(5) + p.headers(3), PROTOCOL_ERROR)
refused("a stream that depends on itself",
        lambda p: frame(HEADERS, WHOLE | WITH_PRIORITY, 1, struct.pack(">IB", 1, 255) + p.block()), PROTOCOL_ERROR,
        streams=True)
refused("more streams than allowed",
        lambda p: b"".join(p.headers(1 + 2 * number, flags=END_HEADERS, method="POST")
                           for number in range(p.settings[3] + 1)), REFUSED_STREAM, PROTOCOL_ERROR, streams=True)

# ----------------------------------------------------------------------------------------------- flow control (§6.9)

refused("no increment for the connection", lambda p: window(0, 0), PROTOCOL_ERROR)
refused("no increment for a stream", lambda p: post(p) + window(1, 0), PROTOCOL_ERROR, streams=True)
refused("a window of the connection beyond its bound", lambda p: window(0, 0x7FFFFFFF) * 2, FLOW_CONTROL_ERROR)
refused("a window of a stream beyond its bound", lambda p: post(p) + window(1, 0x7FFFFFFF) * 2, FLOW_CONTROL_ERROR,
        streams=True)


def expect_octets(peer, count):
    content = peer.wait_for(DATA)
    if len(content) != count:
        raise AssertionError(f"{len(content)} octets and not {count}")


@case("a window of one octet", (4, 1))
def _(peer):
    peer.send(peer.headers(1))
    expect_octets(peer, 1)


@case("the last of two equal parameters counts")
def _(peer):
    peer.send(settings((4, 100), (4, 1)) + peer.headers(1))
    expect_octets(peer, 1)


@case("a window that opens after the request", (4, 0))
def _(peer):
    peer.send(peer.headers(1))
    peer.wait_for(HEADERS)
    peer.send(settings((4, 1)))
    expect_octets(peer, 1)


@case("a window below zero", (4, 3))
def _(peer):
    peer.send(peer.headers(1))
    expect_octets(peer, 3)
    peer.send(settings((4, 2)) + window(1, 2))
    expect_octets(peer, 1)


# --------------------------------------------------------------------------------------------------- messages (§8)

for name, fields, without in [
    ("a name in upper case", [("X-TEST", "a")], ()), ("a pseudo-header that is none", [(":test", "a")], ()),
    ("one of answers", [(":status", "200")], ()), ("one after a field", [("x-test", "a"), (":path", "/")], (":path",)),
    ("connection", [("connection", "keep-alive")], ()), ("keep-alive", [("keep-alive", "1")], ()),
    ("proxy-connection", [("proxy-connection", "close")], ()), ("upgrade", [("upgrade", "websocket")], ()),
    ("transfer-encoding", [("transfer-encoding", "chunked")], ()), ("te", [("te", "trailers, deflate")], ()),
    ("an empty path", [(":path", "")], (":path",)), ("a path without its slash", [(":path", "a")], (":path",)),
    ("a path with a space", [(":path", "/a b")], (":path",)), ("no method", [], (":method",)),
    ("no scheme", [], (":scheme",)), ("no path", [], (":path",)), ("two methods", [(":method", "GET")], ()),
    ("two schemes", [(":scheme", "http")], ()), ("two paths", [(":path", "/")], ()),
    ("two authorities", [(":authority", "b")], ()), ("a host that differs", [("host", "other.test")], ()),
    ("user information", [(":authority", "a@b")], (":authority",)),
    ("a method with a space", [(":method", "GE T")], (":method",)), ("an empty name", [("", "a")], ()),
    ("a name with a colon", [("x:a", "b")], ()), ("a name with a space", [("x a", "b")], ()),
    ("a name with LF", [("x\na", "b")], ()), ("a value with CR LF", [("x-a", "b\r\nx-tollgate-client: me")], ()),
    ("a value with NUL", [("x-a", "b\0c")], ()), ("a value that begins with a space", [("x-a", " b")], ()),
    ("a length that is no number", [("content-length", "x")], ()),
]:
    refused(f"a request with {name}", lambda p, f=fields, w=without: p.headers(1, *f, without=w), PROTOCOL_ERROR,
            streams=True)
refused("a second head without an end", lambda p: post(p) + frame(HEADERS, END_HEADERS, 1, p.encoder.encode([("a", "b")])),
        PROTOCOL_ERROR, streams=True)
refused("a pseudo-header in trailers",
        lambda p: post(p) + data(1, flags=0) + frame(HEADERS, WHOLE, 1, p.encoder.encode([(":method", "GET")])),
        PROTOCOL_ERROR, streams=True)
refused("less content than its length", lambda p: post(p, ("content-length", "9")) + data(1), PROTOCOL_ERROR, streams=True)
refused("more content than its length",
        lambda p: post(p, ("content-length", "1")) + data(1, b"te", 0) + data(1, b"st"), PROTOCOL_ERROR, streams=True)

# ------------------------------------------------------------------------------------------------- HPACK (RFC 7541)

for name, octets in [
    ("an index beyond the tables", b"\xc6"), ("a name beyond the tables", b"\x7f\x07\x03abc"), ("index 0", b"\x80"),
    ("a size update behind fields", b"\x3f\xe1\x1f"), ("a literal that ends early", b"\x40\x01"),
    ("padding of more than 7 bits", b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
    ("padding with zeros", b"\x00\x85\xf2\xb2\x4a\x87\xff\xfe\x83\x49\x50\x90"),
    ("the end of string in a string", b"\x00\x85\xf2\xb2\x4a\x84\xff\x86\xff\xff\xff\xff\xff\xff"),
]:
    refused(f"a header block with {name}", lambda p, o=octets: frame(HEADERS, WHOLE, 1, p.block() + o), COMPRESSION_ERROR)
refused("a table larger than allowed", lambda p: frame(HEADERS, WHOLE, 1, b"\x3f\xe2\xff\xff\x07" + p.block()),
        COMPRESSION_ERROR)

# ----------------------------------------------------------------------------------------------------------- floods


def streams():
    return itertools.count(1, 2)


def flood(name, make):
    @case(f"flood: {name}")
    def _(peer):
        peer.flood(make(peer))


flood("rapid reset", lambda p: (p.headers(number) + reset(number) for number in streams()))
flood("CONTINUATION", lambda p: itertools.chain(
    [parts(p, 5)[0]], itertools.repeat(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 200))))
flood("empty CONTINUATION", lambda p: itertools.chain(
    [parts(p, 5)[0]], itertools.repeat(frame(CONTINUATION, 0, 1) * 50)))
flood("SETTINGS", lambda p: itertools.repeat(settings((3, 100)) * 50))
flood("PING", lambda p: itertools.repeat(ping() * 50))
flood("PRIORITY", lambda p: (priority(number) * 50 for number in streams()))
flood("WINDOW_UPDATE", lambda p: itertools.chain([post(p)], itertools.repeat(window(1, 1) * 50)))
flood("empty DATA", lambda p: itertools.chain([post(p)], itertools.repeat(data(1, b"", 0) * 50)))
flood("answers that nobody reads", lambda p: (p.headers(number) for number in streams()))
flood("a bomb of HPACK", lambda p: itertools.chain(
    [p.headers(1, ("x-bomb", "a" * 4000))],
    (frame(HEADERS, WHOLE, number, p.block() + b"\xbf" * 16000) for number in itertools.count(3, 2))))


def run(port):
    failed = 0
    for name, initial, body in CASES:
        peer = Peer(port, *initial)
        began = time.monotonic()
        try:
            body(peer)
            other = Peer(port)
            other.send(other.headers(1))
            other.wait_for(DATA, lambda flags, _, __: flags & END_STREAM)
            other.close()
        except (AssertionError, EOFError, TimeoutError) as error:
            failed += 1
            print(f"FAIL {name}: {type(error).__name__} {error} after {time.monotonic() - began:.1f} s", flush=True)
        finally:
            peer.close()
    peer = Peer(port, handshake=False)
    peer.send(PREFACE[:-2] + b"XX" + settings())
    peer.expect_error(PROTOCOL_ERROR)
    print(f"{len(CASES) + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    if len(sys.argv) > 1:
        return run(int(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix="tollgate-http2-") as directory:
        with peers.echo_origin() as origin, peers.tollgate(pathlib.Path(directory), origin, peers.UNUSED_KEYS) as port:
            return run(port)


if __name__ == "__main__":
    sys.exit(main())
