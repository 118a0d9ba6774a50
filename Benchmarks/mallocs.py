"""Reads the counts a preloaded mallocs.so keeps of a running program."""

import os
import struct

_SLOT = struct.Struct("<QQQQ16s16x")


def read(path):
    """{thread id: (name, allocations, bytes, frees)} of every thread that ever allocated."""
    found = {}
    with open(path, "rb") as file:
        data = file.read()
    for at in range(0, len(data) - _SLOT.size + 1, _SLOT.size):
        tid, allocations, size, frees, name = _SLOT.unpack_from(data, at)
        if tid:
            found[tid] = (name.split(b"\0")[0].decode(errors="replace"), allocations, size, frees)
    return found


def thread_name(pid, tid, fallback):
    """The name the thread has now: a thread often gets its name after its first allocation."""
    try:
        with open("/proc/%d/task/%d/comm" % (pid, tid)) as file:
            return file.read().strip()
    except OSError:
        return fallback


def difference(before, after):
    """What each thread did between two readings, only the threads that did something."""
    changed = {}
    for tid, (name, allocations, size, frees) in after.items():
        _, a, s, f = before.get(tid, (name, 0, 0, 0))
        if allocations - a or frees - f:
            changed[tid] = (name, allocations - a, size - s, frees - f)
    return changed


def environment(library, path):
    if os.path.exists(path):
        os.unlink(path)
    return {"LD_PRELOAD": library, "MALLOCS_FILE": path}
