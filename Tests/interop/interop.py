#!/usr/bin/env python3
"""Drives the gateway with programs others wrote: curl, requests, aiohttp, httpx, websockets, wrk and h2load in front of it,
nginx and HAProxy on either side. One line per combination, a closing line with the sums; exit status 1 when anything failed.

    Tests/interop/interop.py [--quick]

What is not installed is said and left out. The executable is .build/release/tollgate, else .build/debug/tollgate, or
what TOLLGATE_BINARY names.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import time

import peers

try:
    import requests
except ImportError:
    requests = None
try:
    import aiohttp
    import aiohttp.web
except ImportError:
    aiohttp = None
try:
    import httpx
except ImportError:
    httpx = None
try:
    import websockets
except ImportError:
    websockets = None

QUICK = "--quick" in sys.argv
MEGABYTE = 1_000_000
KEY = secrets.token_bytes(32)
passed, failed, skipped = 0, 0, 0


# ---------------------------------------------------------------------------------------------------------- keys


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


JWKS = {"keys": [{"kty": "oct", "kid": "interop", "use": "sig", "alg": "HS256", "k": base64url(KEY)}]}


def token(subject, seconds=600):
    header = {"alg": "HS256", "typ": "JWT", "kid": "interop"}
    claims = {
        "iss": "https://issuer.test/", "aud": "https://api.test/", "sub": subject, "exp": int(time.time()) + seconds,
    }
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return signed + "." + base64url(hmac.new(KEY, signed.encode(), hashlib.sha256).digest())


# -------------------------------------------------------------------------------------------------------- report


def check(name, action):
    """Runs one combination; whatever it raises is a failure with that text."""
    global passed, failed
    try:
        action()
    except Exception as error:  # noqa: BLE001: any failure of a peer is a result here
        failed += 1
        print(f"FAIL {name}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    else:
        passed += 1
        print(f"ok   {name}", flush=True)


def skip(name, what):
    global skipped
    skipped += 1
    print(f"skip {name}: {what} is not installed", flush=True)


def expect(got, wanted, what):
    if got != wanted:
        shown = [value if len(repr(value)) < 80 else f"{len(value)} bytes" for value in (got, wanted)]
        raise AssertionError(f"{what}: got {shown[0]}, expected {shown[1]}")


# ------------------------------------------------------------------------------------------------------- clients


def curl(*arguments, body=None):
    """Status, headers in lower case and body of one curl run that must end with exit status 0."""
    command = ["curl", "-sS", "--http1.1", "--max-time", "60", "-o", "-", "-D", "/dev/stderr", *arguments]
    run = subprocess.run(command, input=body, capture_output=True, check=False)
    if run.returncode != 0:
        raise AssertionError(f"curl ended with {run.returncode}: {run.stderr[-200:]!r}")
    blocks = [block for block in run.stderr.decode("latin-1").split("\r\n\r\n") if block.startswith("HTTP/")]
    lines = blocks[-1].split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split()[1]), fields, run.stdout


def curl_with_echo(name, base):
    def get():
        status, _, body = curl(base + "/hello?q=1")
        expect((status, body), (200, b"/hello?q=1"), "GET")

    def head():
        # With -I curl writes the head where the body would stand.
        status, fields, _ = curl("-I", base + "/bytes/1234")
        expect((status, fields.get("content-length")), (200, "1234"), "HEAD")

    def upload():
        data = peers.pattern(3 * MEGABYTE)
        expect(curl("--data-binary", "@-", base + "/up", body=data)[2], data, "the echoed body")

    def chunked_upload():
        data = peers.pattern(3 * MEGABYTE)
        field = "Transfer-Encoding: chunked"
        expect(curl("-T", "-", "-H", field, base + "/up", body=data)[2], data, "the echoed body")

    def expect_continue():
        data = peers.pattern(2 * MEGABYTE)
        body = curl("-H", "Expect: 100-continue", "--data-binary", "@-", base + "/up", body=data)[2]
        expect(body, data, "the echoed body")

    def download():
        for kind in ("bytes", "chunks"):
            expect(curl(f"{base}/{kind}/{10 * MEGABYTE}")[2], peers.pattern(10 * MEGABYTE), kind)

    def several():
        _, _, body = curl(*[f"{base}/{number}" for number in range(5)], *["-o", "-"] * 4)
        expect(body, b"/0/1/2/3/4", "five requests of one run")

    def old():
        status, _, body = curl("--http1.0", base + "/chunks/100000")
        expect((status, body), (200, peers.pattern(100_000)), "HTTP/1.0")

    def admitted():
        status, fields, _ = curl("-H", f"Authorization: Bearer {token('carol')}", base + "/private/x")
        expect(status, 200, "with a token")
        expect(fields.get("x-seen-subject"), "interop:carol", "the subject")
        expect(fields.get("x-seen-authorization", ""), "", "the consumed credential")

    def refused():
        status, fields, body = curl(base + "/private/x")
        expect(status, 401, "without a token")
        expect(fields.get("content-type"), "application/problem+json", "the type")
        expect(json.loads(body)["status"], 401, "the document")

    for part in (get, head, upload, chunked_upload, expect_continue, download, several, old, admitted, refused):
        check(f"{name}: {part.__name__.replace('_', ' ')}", part)


def requests_with_echo(name, base):
    def session():
        with requests.Session() as client:
            for number in range(100):
                answer = client.get(f"{base}/{number}", timeout=30)
                expect((answer.status_code, answer.content), (200, f"/{number}".encode()), f"GET {number}")

    def bodies():
        data = peers.pattern(2 * MEGABYTE)
        with requests.Session() as client:
            expect(client.post(base + "/up", data=data, timeout=60).content, data, "a body")
            pieces = (data[start : start + 7919] for start in range(0, len(data), 7919))
            expect(client.put(base + "/up", data=pieces, timeout=60).content, data, "a generator")
            expect(client.get(f"{base}/chunks/{MEGABYTE}", timeout=60).content, data[:MEGABYTE], "chunks")
            expect(client.head(base + "/bytes/77", timeout=60).headers["content-length"], "77", "HEAD")

    def authorised():
        answer = requests.get(base + "/private/x", headers={"Authorization": f"Bearer {token('dave')}"}, timeout=30)
        expect(answer.headers["x-seen-subject"], "interop:dave", "the subject")

    for part in (session, bodies, authorised):
        check(f"{name}: {part.__name__}", part)


def aiohttp_with_echo(name, base):
    async def parallel():
        async with aiohttp.ClientSession() as client:

            async def one(number):
                async with client.get(f"{base}/{number}") as answer:
                    expect(await answer.text(), f"/{number}", f"GET {number}")

            await asyncio.gather(*(one(number) for number in range(200)))

    async def streaming():
        data = peers.pattern(3 * MEGABYTE)

        async def pieces():
            for start in range(0, len(data), 10007):
                yield data[start : start + 10007]

        async with aiohttp.ClientSession() as client:
            async with client.post(base + "/up", data=pieces()) as answer:
                expect(await answer.read(), data, "a streamed body")
            async with client.get(f"{base}/chunks/{3 * MEGABYTE}") as answer:
                expect(await answer.read(), data, "a streamed answer")

    for part in (parallel, streaming):
        check(f"{name}: {part.__name__}", lambda part=part: asyncio.run(part()))


def httpx_with_echo(name, base):
    def events():
        with httpx.stream("GET", base + "/events/200", timeout=30) as answer:
            expect(answer.headers["content-type"], "text/event-stream", "the type")
            seen = [line for line in answer.iter_lines() if line]
        expect(seen, [f"data: {number}" for number in range(200)], "the events")

    check(f"{name}: events", events)


def loaders(base, upstream):
    """wrk and h2load with all their connections at once: no error of any kind."""

    def wrk():
        run = subprocess.run(
            ["wrk", "-t2", "-c32", "-d1s" if QUICK else "-d3s", base + "/bytes/512"], capture_output=True, check=True)
        text = run.stdout.decode()
        if "Non-2xx" in text or "Socket errors" in text or not re.search(r"[1-9]\d* requests in", text):
            raise AssertionError(text)

    def h2load():
        count = 500 if QUICK else 5000
        run = subprocess.run(
            ["h2load", "--h1", "-n", str(count), "-c", "16", base + "/bytes/512"], capture_output=True, check=True)
        text = run.stdout.decode()
        if f"{count} succeeded, 0 failed, 0 errored" not in text:
            raise AssertionError(text)

    for tool in (wrk, h2load):
        name = f"{tool.__name__} -> tollgate -> {upstream}"
        if peers.is_installed(tool.__name__):
            check(name, tool)
        else:
            skip(name, tool.__name__)


# ----------------------------------------------------------------------------------------------------- upstreams


def nginx_upstream(directory):
    """nginx serving files: validators, ranges, errors of its own, big answers."""
    www = directory / "nginx-files" / "www"
    www.mkdir(parents=True)
    (www / "big.bin").write_bytes(peers.pattern(20 * MEGABYTE))
    (www / "small.txt").write_text("small")
    (www / "bytes").mkdir()
    (www / "bytes" / "512").write_bytes(peers.pattern(512))
    location = "location /created { return 201 'made'; } location /none { return 204; }"
    with peers.nginx(directory / "nginx-files", location) as origin:
        with peers.tollgate(directory / "gate-nginx", origin, JWKS) as port:
            base = f"http://127.0.0.1:{port}"

            def download():
                expect(curl(base + "/big.bin")[2], peers.pattern(20 * MEGABYTE), "the file")

            def range_of_file():
                status, fields, body = curl("-r", "1000-1999", base + "/big.bin")
                expect((status, body), (206, peers.pattern(20 * MEGABYTE)[1000:2000]), "the range")
                expect(fields["content-range"], f"bytes 1000-1999/{20 * MEGABYTE}", "Content-Range")

            def not_modified():
                tag = curl("-I", base + "/small.txt")[1]["etag"]
                status, _, body = curl("-H", f"If-None-Match: {tag}", base + "/small.txt")
                expect((status, body), (304, b""), "304")

            def statuses():
                expect(curl(base + "/missing")[0], 404, "the origin's 404")
                expect(curl("-d", "x", base + "/created")[::2], (201, b"made"), "201")
                expect(curl(base + "/none")[::2], (204, b""), "204")
                expect(curl("-d", "x", base + "/small.txt")[0], 405, "405")

            for part in (download, range_of_file, not_modified, statuses):
                check(f"curl -> tollgate -> nginx: {part.__name__.replace('_', ' ')}", part)
            loaders(base, "nginx")


def aiohttp_upstream(directory):
    """aiohttp's server, which closes and frames in its own way."""

    async def serve():
        async def echo(request):
            return aiohttp.web.Response(body=await request.read())

        async def stream(request):
            answer = aiohttp.web.StreamResponse()
            answer.enable_chunked_encoding()
            await answer.prepare(request)
            for _ in range(50):
                await answer.write(peers.pattern(1009))
            return answer

        application = aiohttp.web.Application(client_max_size=64 * MEGABYTE)
        application.router.add_post("/echo", echo)
        application.router.add_get("/stream", stream)
        runner = aiohttp.web.AppRunner(application)
        await runner.setup()
        origin = peers.free_port()
        await aiohttp.web.TCPSite(runner, "127.0.0.1", origin).start()
        with peers.tollgate(directory / "gate-aiohttp", origin, JWKS) as port:
            base = f"http://127.0.0.1:{port}"

            async def bodies():
                data = peers.pattern(2 * MEGABYTE)
                async with aiohttp.ClientSession() as client:
                    async with client.post(base + "/echo", data=data) as answer:
                        expect(await answer.read(), data, "the echoed body")
                    async with client.get(base + "/stream") as answer:
                        expect(await answer.read(), peers.pattern(1009) * 50, "the stream")

            result = await asyncio.gather(bodies(), return_exceptions=True)
            await runner.cleanup()
        return result[0]

    def raise_if_failed():
        error = asyncio.run(serve())
        if error is not None:
            raise error

    check("aiohttp -> tollgate -> aiohttp: bodies", raise_if_failed)


def websockets_upstream(directory):
    """The WebSocket server and client of `websockets`, with its compression and keep-alive."""

    async def echo(connection):
        async for message in connection:
            if message == "leave":
                await connection.close(4001, "as you like")
            else:
                await connection.send(message)

    async def talk(base):
        async with websockets.connect(base + "/socket", max_size=None) as client:
            for message in ("hello", "", "ü" * 1000, peers.pattern(3 * MEGABYTE)):
                await client.send(message)
                expect(await client.recv(), message, "the echo")
            await (await client.ping())

    async def closed_by_the_server(base):
        async with websockets.connect(base + "/socket") as client:
            await client.send("leave")
            await client.wait_closed()
            expect((client.close_code, client.close_reason), (4001, "as you like"), "the server's close")

    async def expired(base):
        fields = {"Authorization": f"Bearer {token('erin', 3)}"}
        async with websockets.connect(base + "/private/socket", additional_headers=fields) as client:
            await client.send("hello")
            expect(await client.recv(), "hello", "the echo")
            await asyncio.wait_for(client.wait_closed(), 30)
            expect(client.close_code, 1008, "the gateway's close")

    async def refused(base):
        try:
            await websockets.connect(base + "/private/socket")
        except websockets.InvalidStatus as error:
            expect(error.response.status_code, 401, "without a token")
        else:
            raise AssertionError("it was let in")

    async def serve(part):
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as server:
            origin = server.sockets[0].getsockname()[1]
            with peers.tollgate(directory / "gate-websockets", origin, JWKS) as port:
                await part(f"ws://127.0.0.1:{port}")

    for part in (talk, closed_by_the_server, expired, refused):
        check(
            f"websockets -> tollgate -> websockets: {part.__name__.replace('_', ' ')}",
            lambda part=part: asyncio.run(serve(part)))


# ---------------------------------------------------------------------------------------------------------- main


def clients(name, base):
    """Every client through the named way to the echoing origin."""
    for program, is_there, drive in (
        ("curl", peers.is_installed("curl"), curl_with_echo),
        ("requests", requests, requests_with_echo),
        ("aiohttp", aiohttp, aiohttp_with_echo),
        ("httpx", httpx, httpx_with_echo),
    ):
        if is_there:
            drive(f"{program} -> {name}", base)
        else:
            skip(f"{program} -> {name}", program)


def combinations(directory):
    with peers.echo_origin() as origin:
        with peers.tollgate(directory / "gate", origin, JWKS) as port:
            clients("tollgate -> echo", f"http://127.0.0.1:{port}")
            loaders(f"http://127.0.0.1:{port}", "echo")
            for program, front in (("nginx", nginx_front), ("haproxy", peers.haproxy)):
                if not peers.is_installed(program):
                    skip(f"{program} -> tollgate", program)
                    continue
                with front(directory / f"{program}-front", port) as edge:
                    clients(f"{program} -> tollgate -> echo", f"http://127.0.0.1:{edge}")
        if peers.is_installed("haproxy"):
            with peers.haproxy(directory / "haproxy-back", origin) as back:
                with peers.tollgate(directory / "gate-haproxy", back, JWKS) as port:
                    clients("tollgate -> haproxy -> echo", f"http://127.0.0.1:{port}")
                    loaders(f"http://127.0.0.1:{port}", "haproxy")
        else:
            skip("tollgate -> haproxy", "haproxy")
    if peers.is_installed("nginx", "curl"):
        nginx_upstream(directory)
    else:
        skip("tollgate -> nginx", "nginx or curl")
    if aiohttp:
        aiohttp_upstream(directory)
    else:
        skip("tollgate -> aiohttp", "aiohttp")
    if websockets:
        websockets_upstream(directory)
    else:
        skip("websockets -> tollgate", "websockets")


@contextlib.contextmanager
def nginx_front(directory, target):
    with peers.nginx(directory, peers.nginx_proxy(target)) as port:
        yield port


def main():
    with tempfile.TemporaryDirectory(prefix="tollgate-interop-") as directory:
        combinations(pathlib.Path(directory))
    if skipped:
        print(f"{skipped} combinations left out")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
