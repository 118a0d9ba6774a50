#!/usr/bin/env python3
"""Builds the micro-benchmarks for release and runs them with the allocation counter preloaded.

  micro.py                    one core, CPU nanoseconds and allocations an operation
  micro.py --binary PATH      without building
"""

import argparse
import os
import subprocess
import sys
import tempfile

import lab as workbench

# The gateway's own release flags, so that the same code is measured.
FLAGS = ["-c", "release", "--static-swift-stdlib", "-Xswiftc", "-enforce-exclusivity=unchecked"]


def build(scratch):
    command = ["swift", "build", *FLAGS, "--product", "tollgate-micro"]
    command += ["--scratch-path", scratch] if scratch else []
    environment = dict(os.environ, TOLLGATE_MICRO="1")
    if subprocess.call(command, cwd=workbench.ROOT, env=environment):
        raise workbench.Missing("the micro-benchmarks do not build")
    where = subprocess.run([*command, "--show-bin-path"], cwd=workbench.ROOT, env=environment, capture_output=True,
                           text=True).stdout.strip()
    return os.path.join(where, "tollgate-micro")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", metavar="PATH")
    parser.add_argument("--scratch-path", metavar="PATH", help="SwiftPM's build folder")
    options = parser.parse_args()
    workbench.require(["cc", "taskset"])
    binary = os.path.abspath(options.binary) if options.binary else build(options.scratch_path)
    with tempfile.TemporaryDirectory() as folder:
        counter = workbench.compile_c(os.path.join(workbench.HERE, "mallocs.c"), folder, shared=True)
        return subprocess.call(["taskset", "-c", str(workbench.cores()["proxy"][0]), binary], cwd=folder,
                               env=dict(os.environ, LD_PRELOAD=counter))


if __name__ == "__main__":
    sys.exit(main())
