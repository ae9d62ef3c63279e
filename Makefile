# What each target does stands beside it; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
DEV := $(VENV)/.dev
SERVE := $(VENV)/.serve
ENGINES := $(VENV)/.engines
PYTEST := $(BIN)/pytest -q
# Only errors: what setuptools says of itself is a boxed warning to pip.
PIP := $(BIN)/python -m pip install --quiet --quiet

# What pip says of itself is no news of this program.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
REAL := real-servers real-tools real-browser real-postgres real-machines
.PHONY: help setup run serve test test-slow test-servers test-tools test-pages test-web test-engines $(REAL) check bench lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

$(SETUP): setup.cfg requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --requirement requirements.lock
	$(PIP) --no-deps --editable .
	touch $@

# What tests import of these packages is compiled then.
$(DEV): $(SETUP) requirements-dev.lock
	$(PIP) --no-compile --requirement requirements-dev.lock
	touch $@

setup: $(SETUP)  ## everything a user needs, into .venv (no root): servers, sandbox, demo model
	@$(BIN)/python -m servers.demo_model >/dev/null
	@echo "ready: ./bench_runner.py doctor"

$(SERVE): $(SETUP)
	$(PIP) --constraint requirements-dev.lock --editable '.[serve]'
	touch $@

serve: $(SERVE) setup  ## the dashboard, with what it needs (an extra); it prints a link
	./bench_runner.py serve

run: setup  ## twenty HumanEval problems on the demo model, and the table
	./bench_runner.py run --benchmark human_eval --limit 20
	@echo "all 164: ./bench_runner.py run --benchmark human_eval"

test: $(DEV) setup  ## the fast suite: real processes, the embedded server, the sandbox
	$(PYTEST) -n 3

test-slow: $(DEV) setup  ## what takes longer of the same: whole sweeps, kills, limits, endless inputs
	$(PYTEST) -m "slow and not servers and not tools and not pages and not web and not engines" -n 3

test-servers: $(DEV) setup  ## the slow suite: a real llama-server and a real vLLM on the CPU
	tests/real_servers.sh $(PYTEST) -m "servers and not alone" --timeout 900 -n 3 --dist loadfile --no-loadscope-reorder
	tests/real_servers.sh $(PYTEST) -m "servers and alone" --timeout 900

test-tools: $(DEV) setup  ## evalplus, LiveCodeBench, lm-eval, inspect and others for real, from .tools
	tests/real_tools.sh $(PYTEST) -m tools --timeout 600

test-pages: $(DEV)  ## reports in a real Chromium ($CHROMIUM, /usr/bin/chromium): layout, contrast, print
	tests/real_browser.sh $(PYTEST) -m pages --timeout 600 tests/browser

test-web: $(DEV) setup  ## `serve` for real: its jobs, PostgreSQL, and its pages in a real Chromium
	tests/real_postgres.sh tests/real_browser.sh $(PYTEST) -m web --timeout 600 tests/web

# Without Ray, Modal or a store's packages, their tests are skipped with a line that says so.
$(ENGINES): $(DEV) requirements-engines.lock
	-$(PIP) --requirement requirements-engines.lock && touch $@

test-engines: $(ENGINES) setup  ## sweeps over several machines for real: their daemons, kills, and a run in shards
	tests/real_machines.sh $(PYTEST) -m engines --timeout 300 -n 2 --dist loadfile

$(REAL): $(DEV) setup  # what the slow suites need, made beforehand; by --jobs at once, which is not for llama.cpp's make
	MAKEFLAGS= tests/$(subst -,_,$@).sh true

check: $(DEV)  ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(DEV) setup  ## our own cost, as ratios to the floor and to peers (installed into .bench-peers)
	-@$(BIN)/python -m tests.benchmarks.peers
	$(BIN)/python -m tests.benchmarks

lock: $(DEV)  ## resolve the versions anew
	$(PIP) uv
	$(BIN)/uv pip compile --quiet --no-header --no-annotate setup.cfg --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --extra dev setup.cfg --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --no-header --no-annotate --extra dev --extra modal --extra ray --extra s3 \
		setup.cfg tests/engines/requirements.in --output-file requirements-engines.lock

clean:  ## remove what make made, results excepted
	rm -rf $(VENV) .vllm .llama-server .tools .browser .bench-peers build *.egg-info
