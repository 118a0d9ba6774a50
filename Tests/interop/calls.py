#!/usr/bin/env python3
"""Calls of gRPC through the gateway, with the client and the server of PyPI's grpcio: unary and streaming in all directions,
errors, deadlines, cancellation, refusals, and many at a time.

    Tests/interop/calls.py
"""

import pathlib
import queue
import sys
import tempfile
import threading
import time
from concurrent import futures

import peers

try:
    import grpc
except ImportError as error:
    raise SystemExit("PyPI's grpcio is not installed") from error


class Echo(grpc.GenericRpcHandler):
    """Messages are bare bytes, so that nothing has to be generated."""

    def service(self, details):
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Down": grpc.unary_stream_rpc_method_handler(self.down),
            "Up": grpc.stream_unary_rpc_method_handler(self.up),
            "Both": grpc.stream_stream_rpc_method_handler(self.both),
        }
        return handlers.get(details.method.rsplit("/", 1)[1])

    @staticmethod
    def unary(message, context):
        context.set_trailing_metadata((("x-length", str(len(message))), ("x-octets-bin", b"\x00\xff")))
        if message == b"fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: 100 %")
        if message == b"sleep":
            time.sleep(5)
        return message

    @staticmethod
    def down(message, _):
        for number in range(int(message)):
            yield b"x" * 1000 + str(number).encode()

    @staticmethod
    def up(messages, _):
        return str(sum(map(len, messages))).encode()

    @staticmethod
    def both(messages, _):
        for message in messages:
            yield message[::-1]


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {str(got)[:100]}, expected {str(wanted)[:100]}")


def expect_status(call, code, message=b"x", **options):
    try:
        call(message, **options)
    except grpc.RpcError as error:
        expect(error.code(), code)
        return error.details()
    raise AssertionError(f"the call succeeded and should end in {code}")


def unary(channel):
    call = channel.unary_unary("/test.Echo/Unary")
    expect(call(b"hello"), b"hello")
    message, finished = call.with_call(b"hi")
    expect(message, b"hi")
    expect(dict(finished.trailing_metadata())["x-length"], "2")
    expect(dict(finished.trailing_metadata())["x-octets-bin"], b"\x00\xff")
    large = b"a" * 3_000_000
    expect(call(large), large)


def endings(channel):
    call = channel.unary_unary("/test.Echo/Unary")
    expect(expect_status(call, grpc.StatusCode.NOT_FOUND, b"fail"), "no such thing: 100 %")
    expect_status(call, grpc.StatusCode.DEADLINE_EXCEEDED, b"sleep", timeout=0.5)
    expect_status(channel.unary_unary("/private/test.Echo/Unary"), grpc.StatusCode.UNAUTHENTICATED)
    expect_status(channel.unary_unary("/test.Echo/None"), grpc.StatusCode.UNIMPLEMENTED)
    stream = channel.unary_stream("/test.Echo/Down")(b"1000000")
    next(stream)
    stream.cancel()
    expect(call(b"after"), b"after")


def streams(channel):
    expect(sum(map(len, channel.unary_stream("/test.Echo/Down")(b"5000"))), 5_018_890)
    expect(channel.stream_unary("/test.Echo/Up")(iter([b"z" * 1000] * 3000)), b"3000000")
    both = channel.stream_stream("/test.Echo/Both")
    expect([*both(iter([b"ab%d" % number for number in range(500)]))][-1], b"994ba")
    messages = queue.Queue()
    answers = both(iter(messages.get, None))
    for number in range(20):
        messages.put(b"ping%d" % number)
        expect(next(answers), (b"ping%d" % number)[::-1])
    messages.put(None)
    expect([*answers], [])


def many(channel):
    call = channel.unary_unary("/test.Echo/Unary")
    failures = []

    def work():
        for number in range(100):
            try:
                expect(call(b"%d" % number), b"%d" % number)
            except (grpc.RpcError, AssertionError) as error:
                failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(failures, [])


def main():
    server = grpc.server(futures.ThreadPoolExecutor(50))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="tollgate-calls-") as directory:
        with peers.tollgate(pathlib.Path(directory), port, peers.UNUSED_KEYS, protocol="http2") as gateway:
            for part in (unary, endings, streams, many):
                try:
                    with grpc.insecure_channel(f"127.0.0.1:{gateway}") as channel:
                        part(channel)
                    print(f"ok   gRPC: {part.__name__}", flush=True)
                except (grpc.RpcError, AssertionError) as error:
                    failed += 1
                    print(f"FAIL gRPC: {part.__name__}: {error}", flush=True)
    server.stop(None)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
