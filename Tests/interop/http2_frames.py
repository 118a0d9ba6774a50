"""A client of HTTP/2 that can do everything wrong: frames by hand, header blocks by PyPI's hpack."""

import socket
import struct
import time

try:
    import hpack
except ImportError as error:
    raise SystemExit("PyPI's hpack is not installed") from error

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, WITH_PRIORITY = 0x4, 0x8, 0x20
WHOLE = END_STREAM | END_HEADERS

(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATH = "/bytes/200"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def data(stream, content=b"test", flags=END_STREAM):
    return frame(DATA, flags, stream, content)


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def priority(stream, dependency=0):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", dependency, 255))


def ping(payload=b"tollgate", flags=0, stream=0):
    return frame(PING, flags, stream, payload)


class Peer:
    """One connection, its handshake done unless told otherwise."""

    def __init__(self, port, *initial, handshake=True):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(5)
        self.buffer = b""
        self.encoder = hpack.Encoder()
        self.settings = {}
        if not handshake:
            return
        self.send(PREFACE + settings(*initial))
        known = acknowledged = False
        while not (known and acknowledged):
            kind, flags, _, payload = self.read()
            if kind == SETTINGS and flags & ACK:
                acknowledged = True
            elif kind == SETTINGS:
                known = True
                self.settings = dict(struct.unpack(">HI", payload[at:at + 6]) for at in range(0, len(payload), 6))
                self.send(settings(flags=ACK))

    def close(self):
        self.socket.close()

    def block(self, *more, method="GET", without=()):
        fields = [(":method", method), (":scheme", "http"), (":path", PATH), (":authority", "api.test")]
        return self.encoder.encode([field for field in fields if field[0] not in without] + list(more))

    def headers(self, stream, *more, flags=WHOLE, **rest):
        return frame(HEADERS, flags, stream, self.block(*more, **rest))

    def send(self, octets):
        """What a closed connection does not take is no matter: the answer says what happened."""
        try:
            self.socket.sendall(octets)
        except OSError:
            pass

    def read(self):
        """The next frame; `EOFError` at the end, `TimeoutError` when nothing comes."""
        try:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                octets = self.socket.recv(65536)
                if not octets:
                    raise EOFError
                self.buffer += octets
        except ConnectionResetError as error:
            raise EOFError from error
        length = int.from_bytes(self.buffer[:3], "big")
        head, payload = self.buffer[:9], self.buffer[9:9 + length]
        self.buffer = self.buffer[9 + length:]
        return head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, payload

    def wait_for(self, kind, test=lambda flags, stream, payload: True):
        """The payload of the next frame of a kind that passes; an error of the server's is one of the test."""
        while True:
            got, flags, stream, payload = self.read()
            if got == kind and test(flags, stream, payload):
                return payload
            if got in (GOAWAY, RST_STREAM):
                raise AssertionError(f"the server sent an error: frame {got}, {payload.hex()}")

    def expect_pong(self):
        self.wait_for(PING, lambda flags, _, __: flags & ACK)

    def expect_error(self, *codes, streams=False):
        """The connection ends, or is told one of the codes; with `streams` a stream may be reset instead."""
        try:
            while True:
                kind, _, __, payload = self.read()
                if kind == GOAWAY:
                    code = int.from_bytes(payload[4:8], "big")
                elif kind == RST_STREAM and streams:
                    code = int.from_bytes(payload[:4], "big")
                else:
                    continue
                if code not in codes:
                    raise AssertionError(f"the error is {code} and should be one of {codes}")
                return
        except EOFError:
            return

    def flood(self, pieces, seconds=20):
        """Sends until the server has had enough; an error when it never has."""
        deadline = time.monotonic() + seconds
        try:
            for piece in pieces:
                self.socket.sendall(piece)
                if time.monotonic() > deadline:
                    raise AssertionError(f"nothing happened for {seconds} s")
        except OSError:
            return
