# SPDX-License-Identifier: Apache-2.0
# Everything here is a short name for a script or a CMake command; `make help` lists them. Variables given to make
# reach the scripts as environment variables. In brackets: how long it takes on two cores with a warm compiler cache,
# where that is known; those under a minute are estimates.
.DEFAULT_GOAL := help
.PHONY: help setup demo build check test test-quick test-pulsar test-debian faults compat certify package test-packages release soak lint format generate lock bench bench-python docs clean

help: ## [1 s] List what can be done
	@echo "dsmsg: message-broker adaptors for video analytics"
	@echo "(about how long it takes on two cores with a warm compiler cache, where that is known)"
	@echo
	@awk -F ':.*## \[|\] ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %7s  %s\n", $$1, $$2, substr($$0, index($$0, "] ") + 2)}' $(MAKEFILE_LIST)

setup: ## [] Install what a developer needs (packages with apt, Python packages into .venv)
	@scripts/setup

demo: ## [] From a video to a broker and back, through an outage [BROKER=mock|kafka|redis|...] [VIDEO=path] [FRAMES=n] [OUTAGE=0] [EVENTS=1]
	@scripts/setup demo
	@scripts/demo

build: ## [1-6 min] Build everything into build/dev
	@scripts/setup build
	@cmake --preset dev
	@cmake --build --preset dev

check: ## [2 min] Before a commit: format and lint of what changed, the core and its unit tests
	@scripts/check

test: ## [50 min] Install what is needed, build, run all tests, then again under the sanitizers
	@scripts/test

test-quick: ## [17 min] The tests without the sanitizer builds
	@scripts/test quick

test-pulsar: ## [] Pulsar's driver, conformance, independent client and short faults with a real server (fetches 250 MB once)
	@scripts/setup build test
	@cmake --preset dev -Wno-dev
	@cmake --build --preset dev --target dsmsg_conformance dsmsg_pulsar_tests dsmsg_fault_sender dsmsg_fault_proxy adaptors
	@PYTHONPATH=python .venv/bin/python -m dsmsg.brokers fetch pulsar
	@ctest --preset dev --build-config pulsar --tests-regex 'pulsar' --parallel 2
	@DSMSG_LIB_DIR=$(CURDIR)/build/dev/lib .venv/bin/python -m pytest tests/pulsar
	@DSMSG_LIB_DIR=$(CURDIR)/build/dev/lib PYTHONPATH=tests:python .venv/bin/python -m faults --short --jobs 2 pulsar pulsar-dedup

faults: ## [25 min] What breaks while a pipeline sends, at full length [FAULTS="cut redis:paused"]
	@scripts/setup test
	@scripts/faults

compat: ## [] One battery over some twenty servers with their packages' defaults [SERVERS="mochi redis"] [SHORT=1] [DOCS=1]
	@scripts/setup build test
	@scripts/compat

certify: ## [15 min] Certify our adaptors, the template and one with mistakes, and write docs/certified.md
	@scripts/setup build test
	@cmake --preset dev -Wno-dev
	@cmake --build --preset dev --target adaptors dsmsg_zmq_receiver
	@scripts/certify

test-debian: ## [] Build, units' and elements' tests in roots made by debootstrap (as root), newest GStreamer included [SUITE=trixie|sid|...]
	@scripts/test-debian $(or $(SUITE),all)

package: ## [] Debian packages of adaptors, GStreamer elements and headers, for the release that this machine has
	@scripts/setup package
	@scripts/package

test-packages: ## [] Make the packages, install, use and remove them in a bare Debian root (as root) [SUITE=bookworm|trixie]
	@scripts/setup package
	@scripts/test-packages $(SUITE)

release: ## [] Try a release: versions, changelog, lint, documentation, packages, no traces of this machine; publishes nothing
	@scripts/setup package test lint
	@.venv/bin/python scripts/release.py

soak: ## [10 min] A pipeline for ten minutes, its memory flat [SECONDS=n] [MODE=plain|valgrind|asan]
	@scripts/setup build test
	@cmake --preset dev -Wno-dev
	@cmake --build --preset dev
	@scripts/soak $(or $(SECONDS),600) $(or $(MODE),plain)

lint: ## [] Check formatting, types and common mistakes
	@scripts/setup build test lint
	@scripts/lint

format: ## [10 s] Rewrite the sources in the project's format
	@scripts/setup lint
	@scripts/lint format

generate: ## [1 min] Regenerate the files that are made from the adaptors' option tables
	@scripts/setup build test
	@cmake --preset dev -Wno-dev
	@cmake --build --preset dev --target adaptors
	@.venv/bin/python scripts/generate.py build/dev/lib

lock: ## [] Renew the exact versions of Python packages (requirements.lock), and run the quick tests with them
	@scripts/lock

bench: ## [24 min] Measure beside the client libraries, into build/bench/report.md [ADAPTOR=redis] [CASES="unbounded paced"]
	@scripts/setup test bench
	@scripts/bench

bench-python: ## [] Measure the Python package beside confluent-kafka, redis-py, paho-mqtt and pika (and kafka-python, if installed)
	@scripts/setup build test
	@cmake --preset dev -Wno-dev
	@cmake --build --preset dev --target adaptors
	@.venv/bin/python benchmarks/python_speed.py

docs: ## [5 s] Build the documentation into site/
	@scripts/setup docs
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

clean: ## [1 s] Remove what was built (.venv and the compiler cache stay)
	rm -rf build site dist
