# Everything installs into .venv, pinned and with hashes; nothing else on the machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
COMPILE := $(LOCK) pyproject.toml requirements/build.in
DRIVERS := --extra postgresql --extra sqlserver --extra mysql

.DEFAULT_GOAL := help
.PHONY: help setup demo serve test crash fuzz check format lock lock-check bench clean

help:
	@echo "make demo    ingest a sample invoice database into an embedded main database, and show the report"
	@echo "make serve   run the API on http://127.0.0.1:4002"
	@echo "make test    run the test suite (installs PostgreSQL into .venv; no server to set up)"
	@echo "make crash   kill runs, many more times than make test does"
	@echo "make fuzz    send the API what fits its document and what does not, many more times than make test does"
	@echo "make check   lint, types, import contracts, lock files"
	@echo "make bench   measure, as ratios to PostgreSQL's own COPY and to SQLite's INSERT ... SELECT"
	@echo "make setup   install only"

setup: $(VENV)/.app

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Ledgerline needs Python 3.11 or later. On Debian or Ubuntu: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Ledgerline needs Python 3.11 or later; $(PYTHON) is older. Name another with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements/app.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Ledgerline into $(VENV) (pinned, with hashes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/app.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.app
	@echo "Installing the development tools into $(VENV) (pinned, with hashes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.lock
	@touch $@

demo: $(VENV)/.app
	@$(BIN)/ledgerline demo

serve: $(VENV)/.app
	@$(BIN)/ledgerline serve

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

crash: $(VENV)/.dev
	LEDGERLINE_CRASH_KILLS=150 $(BIN)/python -m pytest -n 2 tests/crash

fuzz: $(VENV)/.dev
	LEDGERLINE_FUZZ_EXAMPLES=50 $(BIN)/python -m pytest tests/integration/test_api_fuzz.py

check: $(VENV)/.dev lock-check
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests bench
	$(BIN)/ruff format src tests bench

lock: $(VENV)/.dev
	$(COMPILE) -o requirements/app.lock
	$(COMPILE) --all-extras --group dev -o requirements/dev.lock
	$(COMPILE) $(DRIVERS) -o requirements/server.lock
	$(LOCK) requirements/bench.in -o requirements/bench.lock

# A lock is current when compiling it again from itself changes nothing.
lock-check: $(VENV)/.dev
	@for lock in app server dev bench; do \
	  case $$lock in app) compile="$(COMPILE)";; server) compile="$(COMPILE) $(DRIVERS)";; dev) compile="$(COMPILE) --all-extras --group dev";; \
	    bench) compile="$(LOCK) requirements/bench.in";; esac; \
	  cp requirements/$$lock.lock $(VENV)/$$lock.lock; \
	  $$compile -o $(VENV)/$$lock.lock || { echo "requirements/$$lock.lock was not checked: see above."; continue; }; \
	  cmp -s requirements/$$lock.lock $(VENV)/$$lock.lock || { echo "requirements/$$lock.lock is not current: run make lock"; exit 1; }; \
	  echo "requirements/$$lock.lock is current."; \
	done

# What the benchmark compares with has an environment of its own: neither side gets the other's libraries.
$(VENV)/.bench: requirements/bench.lock $(VENV)/.dev
	@echo "Installing what the benchmark compares with into $(VENV)/compared (pinned, with hashes) ..."
	@$(PYTHON) -m venv $(VENV)/compared
	@$(VENV)/compared/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/bench.lock
	@touch $@

bench: $(VENV)/.bench
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/out
