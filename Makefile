# `make` lists the targets. Everything that they need is installed into .venv/, locked by hash.

PYTHON ?= python3
BIN := .venv/bin
ISHTAR := $(BIN)/ishtar
PYTEST := $(BIN)/python -m pytest
LOCK := requirements/test.lock

.DEFAULT_GOAL := help

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment: made anew when the lock or the package's metadata changed.
.venv/ready: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv/ (once)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/browser: .venv/ready requirements/browser.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/browser.lock
	@touch $@

env: .venv/ready  ## install everything into .venv/

.venv/bench: .venv/ready requirements/bench.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

demo: .venv/ready  ## twelve synthetic shots through the whole factory, into demo/
	@$(ISHTAR) demo demo

serve: demo  ## the demo's site on http://127.0.0.1:8000/
	@cd demo && ../$(ISHTAR) serve

test: .venv/ready  ## the tests (no browser)
	@$(PYTEST) -q -n 2 -m "not browser"

test-browser: .venv/browser demo  ## the site in headless Chromium (needs `chromium` on the path)
	@ISHTAR_TEST_SITE=demo/site/public $(PYTEST) -q -m browser tests/browser

check: .venv/ready  ## format, lint, types, import direction
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(PYTEST) -q tests/test_structure.py

format: .venv/ready  ## put the code in order
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: demo  ## what it costs: truth, arrival to page, ingest beside a copy, peak memory
	@$(BIN)/python bench/truth.py demo
	@$(BIN)/python bench/arrival.py
	@$(BIN)/python bench/report.py demo
	@$(BIN)/python bench/ingest.py

bench-library: .venv/ready  ## the library on a shot of 4 GB (15 GB of disk for a while), queries, plans
	@$(BIN)/python bench/library.py
	@$(BIN)/python bench/catalogue.py
	@$(BIN)/python bench/plan.py

bench-langmuir: .venv/bench  ## the Langmuir analysis: error bars against the truth, speed beside PlasmaPy's
	@$(BIN)/python bench/langmuir.py
	@$(BIN)/python bench/langmuir_speed.py

leaks: .venv/ready  ## 500 reports: does a process, thread or file stay?
	@$(BIN)/python bench/leaks.py

crash: .venv/ready  ## the service killed at 200 random moments, under a stream of shots (about 15 minutes)
	@$(BIN)/python -m tests.crash --kills 200

lock: .venv/ready  ## lock the requirements anew (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  pyproject.toml -o requirements/run.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check pyproject.toml -o requirements/test.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check --extra browser pyproject.toml -o requirements/browser.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements/test.lock requirements/bench.in -o requirements/bench.lock

wheel: .venv/ready  ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .

clean:  ## remove what was made (not .venv/)
	rm -rf demo dist .pytest_cache .mypy_cache .ruff_cache tests/browser/shots

.PHONY: help env demo serve test test-browser check format bench bench-library bench-langmuir leaks crash lock wheel clean
