# `make` lists what there is. Every target does its own set-up; nothing is installed twice.

PYTHON ?= python3
VENV   ?= .venv
SOURCE ?= examples/shop
SEED   ?= $(if $(filter examples/shop,$(SOURCE)),examples/shop/data/plan.json)
ARGS   ?=
PYTEST ?=
SECTIONS ?=

BIN     = $(VENV)/bin
CLIENTS = tests/clients/node_modules/.installed
PIP     = $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run demo test check bench soak wheel stubs ledger format clean

help: ## this list
	@echo "Landbridge: a Salesforce org on your laptop. Start with \`make run\`."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make run SOURCE=../my-project SEED=../my-project/data/plan.json ARGS='--data ./org --port 0'"
	@echo "  make test PYTEST='-k upsert'        make PYTHON=python3.12 check"

run: $(VENV)/.installed ## start an org: the sample shop, or SOURCE=sfdx-folder SEED=plan.json ARGS="more options"
ifeq ($(SOURCE) $(SEED),examples/shop examples/shop/data/plan.json)
	@$(BIN)/python examples/shop/start.py $(ARGS)
else
	@$(BIN)/landbridge serve --source "$(SOURCE)" $(if $(SEED),--seed "$(SEED)") $(ARGS)
endif

demo: $(VENV)/.installed ## the sample shop once, with trouble on the way: ends when the sums agree
	@$(BIN)/python examples/shop/start.py --once --house-port 0 --port 0 --pubsub-port 0 --pubsub-tls-port 0 $(ARGS)

test: $(VENV)/.dev $(CLIENTS) ## everything, published clients too (PYTEST="-k words" for less)
	@$(BIN)/python -m pytest $(PYTEST)

check: $(VENV)/.dev ## format, lint, strict types, the import ladder
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/house/test_ladder.py

bench: $(VENV)/.bench ## ratios against floors and a peer, in one run (SECTIONS="rows language" for less)
	@$(BIN)/python -m bench $(SECTIONS)

soak: $(VENV)/.bench ## the long runs (PARTS="creates kills exactly-once waiting" for less)
	@$(BIN)/python -m bench.soak $(PARTS)

wheel: $(VENV)/.dev ## a wheel to publish, its hot paths compiled, into dist/ (wants a C compiler)
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=1 $(BIN)/python -m build --no-isolation --outdir dist .

stubs: $(VENV)/.dev ## write the Pub/Sub messages from eventbus.proto
	@$(BIN)/python scripts/make_stubs.py

ledger: $(VENV)/.dev ## write docs/fidelity.md from the tests
	@said=$$($(BIN)/python -m pytest -qq --collect-only --write-ledger 2>&1) || { echo "$$said" | tail -30; exit 1; }
	@echo "docs/fidelity.md is up to date"

format: $(VENV)/.dev ## format, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove what was installed and built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/clients/node_modules bench/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A half-made environment is worse than none: it would count as made.
$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || \
	  { echo "$(PYTHON) is not here. Install Python 3.11 or newer, or say which: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Landbridge needs Python 3.11 or newer; this is $$($(PYTHON) --version). Say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge into $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge and its test tools into $(VENV) ..."
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.installed

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	@echo "installing Landbridge and its benchmark's peers into $(VENV) ..."
	@$(PIP) -e '.[dev,bench]'
	@touch $@ $(VENV)/.dev $(VENV)/.installed

# Without npm and with LANDBRIDGE_ALLOW_SKIP=1 nothing is stamped: the clients are installed once npm is there.
$(CLIENTS): tests/clients/package.json tests/clients/package-lock.json
	@if command -v npm > /dev/null; then \
	  echo "installing the JavaScript clients into tests/clients ..." && cd tests/clients && \
	  npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.installed; \
	elif [ "$$LANDBRIDGE_ALLOW_SKIP" = 1 ]; then \
	  echo "npm is not here: the tests of the JavaScript clients will be skipped"; \
	else \
	  echo "npm is not here, and the tests of the JavaScript clients need it. Install Node.js (Debian: apt-get install npm),"; \
	  echo "or go without those tests: LANDBRIDGE_ALLOW_SKIP=1 make test"; exit 1; \
	fi
