"""The bench's workbench: what the machine is, programs compiled from C, processes started and measured, load driven.

Everything measured is measured from outside, through /proc and through what the load generator counted.
"""

import http.client
import json
import os
import platform
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = {"haproxy": "haproxy", "nginx": "nginx", "wrk": "wrk", "h2load": "nghttp2-client", "cc": "gcc",
            "strace": "strace", "openssl": "openssl", "taskset": "util-linux"}


class Missing(SystemExit):
    """Something the bench needs is not there; the message says how to get it."""


def find(program):
    """The path of `program`, also where a plain user's PATH does not look (haproxy and nginx live in sbin)."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")


def require(programs, install=False):
    """Checks that all `programs` exist. Installs them with apt only when told to; else names the command to type."""
    missing = [p for p in programs if not find(p)]
    if not missing:
        return
    packages = sorted({PACKAGES.get(p, p) for p in missing})
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if os.geteuid():
        command.insert(0, "sudo")
    if not install:
        raise Missing("missing: %s\n  %s\nor run with --install" % (", ".join(missing), " ".join(command)))
    # Debian starts a service when it installs one; a proxy listening on port 80 is not wanted here.
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", RUNLEVEL="1")
    if subprocess.call(command, env=environment):
        raise Missing("installing %s failed" % " ".join(packages))


def gateway_binary(explicit=None):
    """The gateway's release binary: as told, else $TOLLGATE, else where `make build` leaves it."""
    candidates = [explicit, os.environ.get("TOLLGATE")] if explicit or os.environ.get("TOLLGATE") else [
        os.path.join(ROOT, ".build/release/tollgate"), os.path.join(ROOT, ".build-release/release/tollgate")]
    for path in candidates:
        if path and os.access(path, os.X_OK):
            return os.path.abspath(path)
    raise Missing("no gateway at %s: `make build`, or --tollgate PATH" % " or ".join(c for c in candidates if c))


def version(program, *arguments):
    """The first line a program says about its version, or "absent"."""
    path = find(program)
    if not path:
        return "absent"
    done = subprocess.run([path, *arguments], capture_output=True, text=True, errors="replace")
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "?"


def commit():
    """Which sources the numbers belong to; a + says that they were changed."""
    done = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def machine():
    """What every number here depends on."""
    model = "?"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    try:
        with open("/sys/devices/system/clocksource/clocksource0/current_clocksource") as file:
            clock = file.read().strip()
    except OSError:
        clock = "?"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "memoryMiB": memory >> 20,
            "kernel": platform.release(), "clocksource": clock, "load": os.getloadavg()[0],
            "virtual": "hypervisor" in open("/proc/cpuinfo").read()}


def cores():
    """Which core each part gets: the proxy under test has one to itself, the origin and the load share the others."""
    have = sorted(os.sched_getaffinity(0))
    if len(have) >= 4:
        return {"proxy": have[:1], "origin": have[1:2], "load": have[2:4]}
    if len(have) == 3:
        return {"proxy": have[:1], "origin": have[1:2], "load": have[2:3]}
    return {"proxy": have[:1], "origin": have[-1:], "load": have[-1:]}


def raise_file_limit():
    """As many descriptors as 20,000 connections take on both sides of a proxy; the hard limit where we must not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (65536, max(hard, 65536)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def compile_c(source, folder, shared=False, libraries=()):
    """Compiles a C file into `folder`, once, and returns the path of the result."""
    name = os.path.splitext(os.path.basename(source))[0]
    out = os.path.join(folder, name + (".so" if shared else ""))
    if os.path.exists(out):
        return out
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", out, source]
    if shared:
        command += ["-shared", "-fPIC", "-ldl", "-pthread"]
    command += ["-l" + name for name in libraries]
    if subprocess.call(command):
        raise Missing("cc could not compile %s" % source)
    return out


def free_port():
    """A port nobody listens on, below the range the kernel takes client ports from.

    Inside that range a connection to a server that is down can end up connected to itself.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Process:
    """A started program, pinned to cores, measured as a whole: itself, its threads and its children."""

    def __init__(self, name, command, folder, on=None, environment=None):
        self.name, self.log_path = name, os.path.join(folder, name.replace(" ", "-") + ".log")
        self._log = open(self.log_path, "ab")
        if on:
            command = ["taskset", "-c", ",".join(map(str, on)), *command]
        self.popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, cwd=folder,
            env=dict(os.environ, **(environment or {})))
        self.pid = self.popen.pid

    def log(self, last=2000):
        with open(self.log_path, "rb") as file:
            return file.read()[-last:].decode(errors="replace")

    def files(self):
        """How many file descriptors it has open."""
        return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in self.pids())

    def pids(self):
        """This process and its descendants (nginx forwards in a child)."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            try:
                for task in os.listdir("/proc/%d/task" % pid):
                    with open("/proc/%d/task/%s/children" % (pid, task)) as file:
                        queue += map(int, file.read().split())
            except OSError:
                pass
        return found

    def cpu(self):
        """(user, system) CPU seconds so far, all threads of all processes of it, from /proc/PID/stat."""
        user = system = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/stat" % pid) as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                user += int(fields[11])
                system += int(fields[12])
            except OSError:
                pass
        return user / TICKS, system / TICKS

    def rss(self):
        """(resident, highest resident) in KiB."""
        now = peak = 0
        for pid in self.pids():
            try:
                with open("/proc/%d/status" % pid) as file:
                    for line in file:
                        if line.startswith("VmRSS:"):
                            now += int(line.split()[1])
                        elif line.startswith("VmHWM:"):
                            peak += int(line.split()[1])
            except OSError:
                pass
        return now, peak

    def wait_listening(self, port, seconds=20):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.popen.poll() is not None:
                raise Missing("%s ended with %d:\n%s" % (self.name, self.popen.returncode, self.log()))
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Missing("%s does not listen on %d:\n%s" % (self.name, port, self.log()))

    def stop(self, with_signal=signal.SIGTERM, seconds=10):
        if self.popen.poll() is None:
            self.popen.send_signal(with_signal)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self._log.close()
        return self.popen.returncode


class Lab:
    """A temporary folder with everything started in it; leaving it stops all and removes the folder."""

    def __init__(self, keep=False):
        self.keep, self.processes, self.cores = keep, [], cores()

    def __enter__(self):
        raise_file_limit()
        # A log or an audit on a slow disk would be measured as the proxy's: use memory where there is some.
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="tollgate-bench-", dir=base)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        if self.keep:
            print("kept: %s" % self.folder)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def start(self, name, command, on="proxy", environment=None, port=None):
        process = Process(name, command, self.folder, self.cores.get(on), environment)
        self.processes.append(process)
        if port:
            process.wait_listening(port)
        return process

    def compile(self, name, shared=False, folder=HERE, libraries=()):
        return compile_c(os.path.join(folder, name + ".c"), self.folder, shared, libraries)

    def run(self, command, on="load"):
        """Runs a load generator to its end, pinned; returns what it printed."""
        command = ["taskset", "-c", ",".join(map(str, self.cores[on])), *command]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Missing("%s said:\n%s%s" % (command[3], done.stdout, done.stderr))
        return done.stdout

    def origin(self, port, body=128, chunked=False):
        command = [self.compile("origin"), "-p", str(port), "-b", str(body)] + (["-c"] if chunked else [])
        return self.start("origin-%d" % port, command, on="origin", port=port)

    def load(self, port, requests, seconds, prefix="", token="with", connections=64, scheme="http", body=0, once=False):
        """Runs wrk for `seconds`, or until each request was sent `once`, and returns what it counted."""
        on = self.cores["load"]
        threads = 1 if once else max(1, min(len(on), connections))
        out = self.run(["wrk", "-t%d" % threads, "-c%d" % connections, "-d%ds" % seconds, "--timeout", "10s", "-s",
                        os.path.join(HERE, "load.lua"), "%s://127.0.0.1:%d" % (scheme, port), "--", requests, prefix,
                        token, str(body), *(["once"] if once else [])])
        for line in reversed(out.splitlines()):
            if line.startswith('{"requests"'):
                return json.loads(line)
        raise Missing("wrk said:\n" + out)


def ask(port, path, token=None, host="bench.example", method="GET"):
    """One request on a connection of its own; returns (status, fields, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    fields = {"Host": host}
    if token:
        fields["Authorization"] = "Bearer " + token
    connection.request(method, path, headers=fields)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), body


def first_request(path):
    """The first (path, token) of a requests file."""
    with open(path) as file:
        return tuple(file.readline().rstrip("\n").split("\t"))
