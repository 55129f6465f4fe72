# `make` lists what there is. Every target does its own set-up; nothing is installed twice.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
SOURCE ?= examples/shop
SEED   ?= $(if $(filter examples/shop,$(SOURCE)),examples/shop/data/plan.json,)
ARGS   ?=
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help run test check bench soak ledger format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.installed ## start an org with a sample (SOURCE=sfdx-folder SEED=plan.json ARGS="more options")
	@$(BIN)/landbridge serve --source $(SOURCE) $(if $(SEED),--seed $(SEED)) $(ARGS)

test: $(VENV)/.dev tests/clients/node_modules/.installed ## everything (PYTEST="-k words" for less)
	@$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/.dev ## format, lint, strict types, the import ladder
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/house/test_ladder.py

bench: $(VENV)/.bench ## ratios against floors and a peer, in one run
	@$(BIN)/python -m bench

soak: $(VENV)/.bench ## the long runs: 1,000,000 creates, many kills
	@$(BIN)/python -m bench.soak

ledger: $(VENV)/.dev ## write docs/fidelity.md from the tests
	@$(BIN)/python -m pytest -q --collect-only --write-ledger > /dev/null && echo "docs/fidelity.md written"

format: $(VENV)/.dev ## format and mend what can be mended
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove what was installed and built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/clients/node_modules bench/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Landbridge needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian: apt-get install python3-venv)"; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge and its test tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge and its benchmark's peers into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.installed

tests/clients/node_modules/.installed: tests/clients/package.json tests/clients/package-lock.json
	@command -v npm > /dev/null || { echo "npm is missing: the JavaScript clients will be skipped, and so the run fails."; \
	  echo "Install Node.js, or set LANDBRIDGE_ALLOW_SKIP=1."; test -n "$$LANDBRIDGE_ALLOW_SKIP"; }
	@if command -v npm > /dev/null; then echo "installing the JavaScript clients ..."; \
	  cd tests/clients && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed; fi
