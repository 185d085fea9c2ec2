# `make` lists the targets. Everything that they need is installed into .venv/, locked by hash.

PYTHON ?= python3
BIN := .venv/bin
ISHTAR := $(BIN)/ishtar
PYTEST := $(BIN)/python -m pytest
LOCK := requirements/test.lock

.DEFAULT_GOAL := help

# Bytecode is kept, whatever a shell says: else each of many processes compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

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

env: .venv/ready vendor  ## install everything into .venv/ and node_modules/

# Scripts of others: packages of npm, locked by hash, of which the site's theme gets what it uses.
# A machine without npm takes it, with node, from a Python package.
NPM := PATH="$$PATH:$(CURDIR)/$(BIN)" npm
.venv/node: .venv/ready requirements/node.lock
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	  --require-hashes -r requirements/node.lock
	@touch $@

node_modules/ready: package.json package-lock.json .npmrc | .venv/node
	@echo "installing into node_modules/ (once)"
	@$(NPM) ci --ignore-scripts --silent
	@touch $@

VENDOR := site/theme/vendor
$(VENDOR)/uplot.js: node_modules/ready
	@mkdir -p $(VENDOR)
	@cp node_modules/uplot/LICENSE $(VENDOR)/uplot.LICENSE.txt
	@cp node_modules/uplot/dist/uPlot.min.css $(VENDOR)/uplot.css
	@cp node_modules/uplot/dist/uPlot.iife.min.js $(VENDOR)/uplot.js

vendor: $(VENDOR)/uplot.js  ## the scripts of others that the site uses, into site/theme/vendor/

.venv/bench: .venv/ready requirements/bench.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

demo: .venv/ready vendor  ## fifteen synthetic shots through the whole factory, into demo/
	@$(ISHTAR) demo demo

campaign: .venv/ready vendor  ## sixty synthetic shots in three weeks, with faults in them, into campaign/
	@$(ISHTAR) demo --campaign campaign

serve: demo  ## the demo's site on http://127.0.0.1:8000/
	@cd demo && ../$(ISHTAR) serve

# A worker that has nothing left to do takes tests from another one. There is one more than two
# cores, for tests of services and kernels wait half of their time.
SHARED := $(PYTEST) -q -n 3 --dist worksteal

test: .venv/ready vendor  ## the tests, in five minutes on two cores (none that is long, no browser)
	@$(SHARED) -m "not browser and not long"

test-fast: .venv/ready  ## those to run while writing, in a minute: no kernel, no service, no site
	@$(SHARED) -m "not browser and not long and not whole"

test-long: .venv/ready vendor  ## those that take long and must
	@$(PYTEST) -q -n 2 --dist loadfile -m "long and not browser"

test-all: test test-long  ## all tests but those in the browser

test-browser: .venv/browser campaign  ## the campaign's site in headless Chromium (needs `chromium` on the path)
	@$(PYTEST) -q -m browser tests/browser

check: .venv/ready vendor  ## format, lint, who imports whom, types (also of the scripts)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo --cache-dir .pytest_cache/imports
	@$(BIN)/mypy
	@PATH="$$PATH:$(CURDIR)/$(BIN)" node node_modules/typescript/bin/tsc
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

bench-langmuir: .venv/bench  ## the Langmuir analysis: error bars, other physics, real sweeps, speed beside PlasmaPy's
	@$(BIN)/python bench/langmuir_scenarios.py
	@$(BIN)/python bench/langmuir_real.py
	@$(BIN)/python bench/langmuir_speed.py

bench-lines: .venv/ready  ## spectral lines 2 to 12 bins apart: errors, sigmas, coverage
	@$(BIN)/python bench/lines.py

bench-site: campaign  ## one more shot among 100, 1,000 and 10,000; a full build; weight of pages
	@$(BIN)/python bench/site.py campaign

leaks: .venv/ready  ## 500 reports: does a process, thread or file stay?
	@$(BIN)/python bench/leaks.py

fuzz: .venv/ready  ## damaged and crafted raw files against ingest, for five minutes
	@$(BIN)/python -m tests.fuzz --seconds 300

crash: .venv/ready  ## the service killed at 200 random moments, under a stream of shots (about 15 minutes)
	@$(BIN)/python -m tests.crash --kills 200

faults: .venv/ready  ## the service with everything going wrong around it for half an hour
	@$(BIN)/python -m tests.faults --minutes 30

lock: .venv/ready  ## lock the requirements anew (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  pyproject.toml -o requirements/run.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check pyproject.toml -o requirements/test.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check --extra browser pyproject.toml -o requirements/browser.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements/test.lock requirements/bench.in -o requirements/bench.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  requirements/node.in -o requirements/node.lock
	@$(NPM) install --package-lock-only --silent

wheel: .venv/ready vendor  ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .

clean:  ## remove what was made (not .venv/ and node_modules/)
	rm -rf demo campaign dist .pytest_cache .mypy_cache .ruff_cache tests/browser/shots

.PHONY: help env vendor demo campaign serve test test-fast test-long test-all test-browser check format bench bench-library bench-langmuir bench-lines bench-site leaks fuzz crash faults lock wheel clean
