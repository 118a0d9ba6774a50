"""The programs on both sides of the gateway: an echoing origin, nginx, HAProxy and the gateway itself.

Every peer is a context manager that starts on a free port of 127.0.0.1, waits until it answers and ends with the block.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# For a gateway whose tokens nobody uses.
UNUSED_KEYS = {"keys": [{"kty": "oct", "kid": "unused", "alg": "HS256", "k": "A" * 43}]}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process=None, seconds=30):
    """Returns once something listens; raises when the process ended or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port}")


@contextlib.contextmanager
def running(arguments, port, **options):
    process = subprocess.Popen(arguments, **options)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class EchoHandler(http.server.BaseHTTPRequestHandler):
    """Answers POST and PUT with the body, GET /bytes/N with N bytes, GET /chunks/N with N bytes in chunks, GET /events/N
    with N server-sent events."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            received = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                received += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return received
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, body, chunked=False):
        self.send_response(200)
        self.send_header("X-Seen-Subject", self.headers.get("X-Tollgate-Subject", ""))
        self.send_header("X-Seen-Authorization", self.headers.get("Authorization", ""))
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(body), 9973):
                piece = body[start : start + 9973]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def do_GET(self):
        kind, _, count = self.path.split("?")[0].strip("/").partition("/")
        if kind in ("bytes", "chunks"):
            self.answer(pattern(int(count)), chunked=kind == "chunks")
        elif kind == "events":
            self.events(int(count))
        else:
            self.answer(self.path.encode())

    def events(self, count):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(count):
            event = b"data: %d\n\n" % number
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_HEAD = do_GET

    def do_POST(self):
        self.answer(self.body())

    do_PUT = do_POST


def pattern(count):
    """Bytes in which every place is recognisable."""
    unit = bytes((place * 197 + (place >> 8)) & 255 for place in range(65536))
    return (unit * (count // 65536 + 1))[:count]


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, *_):
        """A peer that goes away is no news here."""


@contextlib.contextmanager
def echo_origin():
    server = QuietServer(("127.0.0.1", 0), EchoHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def nginx(directory, location):
    """nginx with one server whose configuration is `location`; yields its port."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "nginx.conf").write_text(
        f"""
        daemon off; master_process off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
            client_max_body_size 64m; keepalive_requests 100000;
            server {{ listen 127.0.0.1:{port}; root {directory}/www; {location} }}
        }}
        """
    )
    with running(["nginx", "-p", str(directory), "-c", "nginx.conf", "-e", "error.log"], port):
        yield port


def nginx_proxy(target):
    """The location of an nginx that stands in front of `target` with keep-alive and without buffering uploads."""
    return (
        "location / { proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;"
        f" proxy_request_buffering off; proxy_pass http://127.0.0.1:{target}; }}"
    )


@contextlib.contextmanager
def haproxy(directory, target):
    """HAProxy in front of `target`; yields its port."""
    port = free_port()
    directory.mkdir(parents=True, exist_ok=True)
    configuration = directory / "haproxy.cfg"
    configuration.write_text(
        f"""
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    server one 127.0.0.1:{target}
"""
    )
    with running(["haproxy", "-q", "-db", "-f", str(configuration)], port):
        yield port


def tollgate_binary():
    named = os.environ.get("TOLLGATE_BINARY")
    if named:
        return named
    for kind in ("release", "debug"):
        built = REPOSITORY / ".build" / kind / "tollgate"
        if built.exists():
            return str(built)
    raise SystemExit("no tollgate executable: run `make build` or set TOLLGATE_BINARY")


@contextlib.contextmanager
def tollgate(directory, upstream, jwks, protocol="http1"):
    """The gateway in front of a port: everything public but /private, which asks for a token; yields its port."""
    port, admin = free_port(), free_port()
    directory.mkdir(parents=True, exist_ok=True)
    issuer = {
        "issuer": "https://issuer.test/", "audiences": ["https://api.test/"], "algorithms": ["HS256"],
        "keys": {"jwks": jwks}, "subjects": ["{{ jwt:sub }}"],
    }
    configuration = {
        "listeners": [{"name": "public", "address": f"127.0.0.1:{port}"}],
        "admin": {"address": f"127.0.0.1:{admin}"},
        "issuers": {"interop": issuer},
        "rateLimit": {"requestsPerMinute": 1_000_000, "burst": 1_000_000},
        "upstreams": {"origin": {"endpoints": [f"http://127.0.0.1:{upstream}"], "protocol": protocol}},
        "routes": [
            {"name": "private", "match": {"path": "/private/**"}, "upstream": "origin", "authenticate": ["jwt"]},
            {"name": "public", "match": {"path": "/**"}, "upstream": "origin", "authenticate": []},
        ],
        "audit": {"directory": str(directory / "audit")},
    }
    (directory / "gateway.json").write_text(json.dumps(configuration, indent=2))
    with open(directory / "stderr.txt", "wb") as errors:
        with running(
            [tollgate_binary(), "serve", "--config", str(directory / "gateway.json")], port, cwd=directory,
            stdout=errors, stderr=errors,
        ):
            wait_until_ready(admin)
            yield port


def wait_until_ready(admin, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=2)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError("the gateway did not become ready")


def is_installed(*programs):
    return all(shutil.which(program) for program in programs)
