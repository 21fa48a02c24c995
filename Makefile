# make setup   build the environment (.venv) and install system packages
# make demo    build the demo data set: no key, no GPU;  make demo-zh  the same in Mandarin, for non-commercial use
# make demo-rated  pairs of rated clips, in a minute: recordings made worse by known steps, with simulated ratings
# make demo-unisrm  a collection: two tasks as one release, disjoint across them
# make test    all tests;  make check  ruff, mypy, import-linter;  make bench  figures beside baselines
# make test-slow  more cases of the end-to-end tests;  make check-trainers  the trainers' own loaders on our exports (downloads them)
# make chaos   N=50 random kills over a small build, SEED=1: does each end in the same release, with nothing left and nothing lost?
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON := $(CURDIR)/.venv/bin/python
STAMP := .venv/.lock-sha256
LOCK_SHA := $(shell sha256sum requirements.lock pyproject.toml packaging/system-packages.txt | sha256sum | cut -c1-32)
# The lock names no index: a company's own one comes from pip's configuration.
INDEX := $(shell python3 -m pip config get global.index-url 2>/dev/null)
export DO_NOT_TRACK := 1
# Compiled modules are kept: without them every process of a build or a test compiles all that it imports, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

N := 50
SEED := 1

.PHONY: setup check test test-slow demo demo-rated demo-unisrm demo-zh bench chaos check-trainers lock print-python prefect-run clean

setup: ; @packaging/system_packages.sh
	@if [ "$$(cat $(STAMP) 2>/dev/null)" != "$(LOCK_SHA)" ]; then \
	  echo "setup: building .venv (about 5 GB, a few minutes the first time)"; \
	  command -v python3.11 >/dev/null || { echo "setup: python3.11 is needed; install it and run make again" >&2; exit 1; }; \
	  [ -x $(PYTHON) ] || python3.11 -m venv .venv; \
	  .venv/bin/uv --version 2>/dev/null | grep -q ' $(UV_VERSION)' || $(PYTHON) -m pip install -q "uv==$(UV_VERSION)"; \
	  .venv/bin/uv pip sync -q --compile-bytecode --python $(PYTHON) $(if $(INDEX),--index-url $(INDEX)) --require-hashes requirements.lock; \
	  .venv/bin/uv pip install -q --python $(PYTHON) --no-deps --no-build-isolation -e .; \
	  echo "$(LOCK_SHA)" > $(STAMP); \
	fi

UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)

print-python:
	@echo $(PYTHON)

demo: setup
	@.venv/bin/unisrm-data build recipes/demo.yaml

demo-rated: setup
	@$(PYTHON) -m synth.degraded_speech workspaces/degraded-speech
	@.venv/bin/unisrm-data build recipes/demo_rated.yaml

demo-unisrm: setup
	@$(PYTHON) -m corpora.miniatures qualispeech workspaces/qualispeech-small
	@.venv/bin/unisrm-data build recipes/demo_unisrm.yaml

demo-zh: setup
	@.venv/bin/unisrm-data build recipes/demo_zh.yaml

test: setup
	@$(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test-slow: setup
	@$(PYTHON) -m pytest -m slow

check: setup
	@.venv/bin/ruff check . && .venv/bin/ruff format --check -q .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

bench: setup
	@$(PYTHON) -m bench

check-trainers: setup
	@$(PYTHON) -m tests.consumers

chaos: setup
	@$(PYTHON) -m tests.chaos --kills $(N) --seed $(SEED)

prefect-run: setup
	@$(PYTHON) -m pytest tests/e2e/test_deployment.py

# Resolve anew from pyproject.toml, preferring what the lock has now.
lock:
	UV_CUSTOM_COMPILE_COMMAND="make lock" .venv/bin/uv pip compile pyproject.toml --extra embedded --extra zh --group dev --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate -q -o requirements.lock

clean:
	rm -rf .venv
