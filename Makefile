# Everything starts here. `make help` lists the targets.
SHELL := /bin/bash
SWIFT ?= swift
CONFIG ?= gateway.json

# The Swift runtime is linked in, so that the binary runs where no toolchain is. Exclusivity is checked while tests
# run (debug) and not again for every access in production. Cross-module optimisation lets what the rooms export be
# specialised and inlined where it is used. Nobody looks symbols of the binary up by name: without them, and with
# relocations packed (by lld, which comes with the toolchain; glibc reads them since 2.36), 4 MB less are read and stay resident.
PACKED := $(shell getconf GNU_LIBC_VERSION 2>/dev/null | awk '{ split($$2, v, "."); \
	if (v[1] * 1000 + v[2] >= 2036) print "-Xlinker -z -Xlinker pack-relative-relocs" }')
RELEASE_FLAGS ?= -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked \
	-Xswiftc -cross-module-optimization -Xswiftc -use-ld=lld -Xlinker --no-export-dynamic $(PACKED)
TEST_FLAGS ?= --explicit-target-dependency-import-check error

.DEFAULT_GOAL := help
.PHONY: help install build run test fuzz interop bench soak endurance lint format reference tsan clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

install: ## what a fresh Debian or Ubuntu machine with a Swift toolchain lacks
	@.ci/install

build: install ## the release binary, .build/release/tollgate
	$(SWIFT) build $(RELEASE_FLAGS) --product tollgate

run: build ## a demo upstream and the gateway with ./gateway.json, and requests to copy
	@demo/run.sh "$(CONFIG)" .build/release/tollgate

test: install ## every test
	$(SWIFT) build --build-tests $(TEST_FLAGS)
	$(SWIFT) test $(TEST_FLAGS)

# Optimised; what would trap in production traps here.
FUZZ_FLAGS ?= -c release
SECONDS ?= 60
SEED ?= 1
fuzz: export TOLLGATE_FUZZ = 1
fuzz: install ## inputs of all parsers, changed at random: SECONDS=3600 SEED=7, or one round again with TARGET=… ROUND=…
	$(SWIFT) build $(FUZZ_FLAGS) --product tollgate-fuzz
	@$$($(SWIFT) build $(FUZZ_FLAGS) --show-bin-path)/tollgate-fuzz $(SECONDS) $(SEED) $(TARGET) $(ROUND) || \
	    { echo "the last round: $$(cat .build/fuzz-round)"; exit 1; }

interop: build ## curl, requests, aiohttp, httpx, websockets, wrk, h2load, gRPC, nginx and HAProxy around the release binary, and HTTP/2 done wrong
	Tests/interop/interop.py
	Tests/interop/http2.py
	Tests/interop/calls.py

bench: build ## the benchmarks, side by side with HAProxy and nginx, and the table of goals
	Benchmarks/run.sh

soak: build ## a million requests under reloads and a dying upstream, each accounted for
	Tests/soak/soak.py

endurance: build ## slow clients, 20,000 WebSockets, endpoints that misbehave in every way, three times the load: four minutes
	@failed=0; for script in slowloris websockets_many endpoints overload; do \
	    echo "== $$script"; Tests/endurance/$$script.py || failed=1; done; exit $$failed

lint: ## the formatting rules of .swift-format
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests Package.swift

format: ## put the sources into that format
	$(SWIFT) format --in-place --parallel --recursive Sources Tests Package.swift

reference: ## the configuration: gateway.schema.json, and its reference in README.md
	$(SWIFT) build --product tollgate
	.build/debug/tollgate schema >gateway.schema.json
	.build/debug/tollgate schema --markdown >.build/reference.md
	sed -i -e '/^<!-- reference -->$$/,/^<!-- end of reference -->$$/{//!d' -e '}' \
	    -e '/^<!-- reference -->$$/r .build/reference.md' README.md

# Reports go to files: those of the tests, of the gateways they start and of processes that are killed.
tsan: install ## every test and a live run under the thread sanitizer, in a build folder of its own
	rm -rf .build-tsan/reports && mkdir -p .build-tsan/reports
	TSAN_OPTIONS="log_path=$(CURDIR)/.build-tsan/reports/report exitcode=66" \
	    $(SWIFT) test $(TEST_FLAGS) --sanitize=thread --scratch-path .build-tsan
	@! cat .build-tsan/reports/* 2>/dev/null
	Tests/sanitizer/live.py .build-tsan/debug/tollgate

clean: ## remove what was built
	rm -rf .build .build-tsan
