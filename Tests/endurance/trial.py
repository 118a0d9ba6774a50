"""What the endurance scripts share: a gateway of their own, paced clients, and a verdict.

A script measures, prints what it measured, and hands every promise to a Verdict; it ends with 1 when one is broken.
"""

import argparse
import glob
import json
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOAK = os.path.join(HERE, os.pardir, "soak")
sys.path[:0] = [os.path.join(HERE, os.pardir, os.pardir, "Benchmarks"), SOAK]

import lab  # noqa: E402
import soak  # noqa: E402

PLENTY = {"requestsPerMinute": 6_000_000, "burst": 10_000_000}


class Verdict:
    """Collects what holds and what does not; says both."""

    def __init__(self):
        self.broken = 0

    def hold(self, promise, holds, measured=""):
        self.broken += not holds
        print("%s %s%s" % ("holds " if holds else "BROKEN", promise, ": %s" % measured if measured != "" else ""),
              flush=True)

    def code(self):
        return 1 if self.broken else 0


class Gateway:
    """The gateway under test with its configuration, from readiness to the end of its audit trail."""

    def __init__(self, bench_lab, binary, settings, name="gateway"):
        self.lab, self.binary, self.name = bench_lab, binary, name
        self.port, self.admin = lab.free_port(), lab.free_port()
        self.audit_folder = bench_lab.path(name, "audit")
        complete = {
            "listeners": [{"name": "public", "address": "127.0.0.1:%d" % self.port}],
            "admin": {"address": "127.0.0.1:%d" % self.admin}, "rateLimit": PLENTY,
            "audit": {"directory": self.audit_folder}, **settings}
        path = bench_lab.write(os.path.join(name, "gateway.json"), json.dumps(complete, indent=1))
        self.process = bench_lab.start(name, [binary, "serve", "--config", path], port=self.port)
        self.wait_until(lambda: lab.ask(self.admin, "/health/ready")[0] == 200, 30)

    def wait_until(self, condition, seconds):
        """Whether the condition came true in time; a gateway that ended is nobody's to wait for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.popen.poll() is not None:
                raise lab.Missing("the gateway ended:\n%s" % self.process.log())
            try:
                if condition():
                    return True
            except OSError:
                pass
            time.sleep(0.05)
        return False

    def resident(self):
        """KiB in memory now."""
        return self.process.rss()[0]

    def metric(self, name, label=""):
        """The sum of a metric's values whose labels contain `label`; 0 when there are none."""
        text = lab.ask(self.admin, "/metrics")[2].decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith((name + "{", name + " ")) and label in line)

    def records(self):
        """Every record of a decision in the trail; read it after the end."""
        for path in sorted(glob.glob(os.path.join(self.audit_folder, "*"))):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    for line in file:
                        if b'"outcome"' in line:
                            yield json.loads(line)

    def end(self, verdict, seconds):
        """SIGTERM; then what a trail has to be: whole, verified, without losses."""
        began = time.monotonic()
        code = self.process.stop(seconds=seconds)
        verdict.hold("SIGTERM ends the gateway with 0 within %d s" % seconds, code == 0,
                     "%s after %.1f s" % (code, time.monotonic() - began))
        done = subprocess.run([self.binary, "audit", "verify", self.audit_folder], capture_output=True, text=True)
        verdict.hold("tollgate audit verify", done.returncode == 0, (done.stdout + done.stderr).strip()[-200:])
        events = soak.audit(self.audit_folder)[2]
        verdict.hold("no audit record is lost", not any("los" in event for event in events), dict(events))


def paced(bench_lab, port, rate, seconds, connections, target, first=False):
    """Requests at a pace that does not wait for answers, on keep-alive connections; returns what volley counted. `first`:
    before all others, see come_first."""
    volley = bench_lab.compile("volley", folder=SOAK)
    requests = bench_lab.write("requests.tsv", "%s\tnone\n" % target)
    done = subprocess.run(
        [volley, "-p", str(port), "-c", str(connections), "-n", str(int(rate * seconds)), "-f", requests, "-r",
         str(rate)], capture_output=True, text=True, preexec_fn=come_first if first else None)
    if not done.stdout.startswith("{"):
        raise lab.Missing("volley: %s" % done.stderr)
    return json.loads(done.stdout)


def come_first(process=0):
    """Lets a process of one thread run as soon as it can, before all ordinary ones on its core (SCHED_RR); returns whether
    that is allowed. For those who measure, and in life are on other machines than whom they are measured beside."""
    try:
        os.sched_setscheduler(process, os.SCHED_RR, os.sched_param(1))
        return True
    except PermissionError:
        return False


def give_way(process=0):
    """Lets a process of one thread run only where nobody else wants to (SCHED_IDLE)."""
    os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))


def _spin(core):
    os.sched_setaffinity(0, [core])
    give_way()
    while os.getppid() != 1:
        pass


def keep_awake():
    """Keeps each core busy while nobody else wants it: a virtual machine's idle core is lent to others, and comes back late."""
    for core in os.sched_getaffinity(0):
        multiprocessing.Process(target=_spin, args=(core,), daemon=True).start()


def descriptors():
    """How many descriptors a process started from here can have."""
    lab.raise_file_limit()
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def kernel_memory():
    """Bytes that the kernel holds for all TCP sockets."""
    with open("/proc/net/sockstat") as file:
        line = next(line for line in file if line.startswith("TCP:"))
    return int(line.split()[-1]) * os.sysconf("SC_PAGE_SIZE")


def connect(port, source=None, receive_buffer=None):
    """A socket on its way to 127.0.0.1:port, non-blocking. A source address of its own has ports of its own."""
    client = socket.socket()
    client.setblocking(False)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if source:
        # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect, where it need only be free towards this destination.
        client.setsockopt(socket.IPPROTO_IP, 24, 1)
        client.bind((source, 0))
    client.connect_ex(("127.0.0.1", port))
    return client


def arguments(document):
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tollgate", metavar="PATH")
    parser.add_argument("--keep", action="store_true", help="leave configuration, logs and audit trail behind")
    return parser


def laboratory(options):
    """A folder for everything that is started; nothing is pinned to a core."""
    lab.require(["cc"])
    bench_lab = lab.Lab(options.keep)
    bench_lab.cores = {}
    # Whoever ends a script ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    return bench_lab
