# Every target sets up what it needs; there is nothing to prepare by hand.
.DEFAULT_GOAL := help
.PHONY: help run test check simulate crash bench bench-quick bench-keep plots audit schema screenshots clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEEDS ?= 1000
KILLS ?= 300
BENCH ?=
PIP := bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
INSTALL := $(VENV)/$(PIP)

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: $(VENV)/.run ## run manifests/quickstart.yaml on the built-in sandbox: real videos, no key, no cost
	@$(BIN)/runner run manifests/quickstart.yaml

test: check ## lint, type-check, and run the whole test suite
	@$(BIN)/python -m pytest -n 4 --dist worksteal

check: $(VENV)/.test ## lint, format and type-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

simulate: $(VENV)/.test ## SEEDS=1000 simulated worlds full of faults and crashes: is anything paid twice or lost?
	@cd tests && $(abspath $(BIN))/python -m simulation --seeds $(SEEDS)

crash: $(VENV)/.test ## KILLS=300 real runs killed at random instants, then audited
	@$(BIN)/python tests/crash --kills $(KILLS)

bench: $(VENV)/.bench ## measure the runner and its peers; BENCH="compare --level 300" for a part of it
	@$(VENV)/bench/bin/python -m benchmarks $(BENCH)

bench-quick: $(VENV)/.bench ## a few seconds of every benchmark: do they work? The figures mean nothing
	@$(VENV)/bench/bin/python -m benchmarks --quick --results build/bench/quick.json

bench-keep: $(VENV)/.bench ## write the figures of the last `make bench` into benchmarks/README.md
	@$(VENV)/bench/bin/python -m benchmarks --keep

plots: $(VENV)/.plots ## draw the pictures of benchmarks/README.md anew
	@$(VENV)/plots/bin/python -m benchmarks.plots

audit: $(VENV)/.test ## ask the registry's vulnerability database about the pinned versions
	@$(INSTALL) pip-audit
	@$(BIN)/python -m pip_audit -r constraints.txt --no-deps --disable-pip

schema: $(VENV)/.run ## write manifests/manifest.schema.json anew
	@$(BIN)/runner schema > manifests/manifest.schema.json.new
	@mv manifests/manifest.schema.json.new manifests/manifest.schema.json

screenshots: $(VENV)/.test ## draw docs/images anew, for the README (needs Chromium)
	@$(BIN)/python docs/screenshots.py

clean: ## remove the virtual environment and caches; videos and state files stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON); install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "make: $(PYTHON) can't make a virtual environment (Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up .venv ..."
	@$(INSTALL) -e '.[sandbox,report]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "setting up .venv for tests ..."
	@$(INSTALL) -e '.[sandbox,media,report,notify,dev]'
	@touch $@

# Environments of their own: what is measured must find only what a user would have installed.
$(VENV)/.bench: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up .venv/bench ..."
	@$(BIN)/python -m venv $(VENV)/bench
	@$(VENV)/bench/$(PIP) -e '.[bench]'
	@touch $@

$(VENV)/.plots: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up .venv/plots ..."
	@$(BIN)/python -m venv $(VENV)/plots
	@$(VENV)/plots/$(PIP) -e '.[bench,plots]'
	@touch $@
