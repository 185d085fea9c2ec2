# `make` lists the targets. Their requirements are installed into .venv/, locked by hash; a second
# environment, of another Python, is `make VENV=.venv-newest PYTHON=python3.13 test-fast`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ISHTAR := $(BIN)/ishtar
PYTEST := $(BIN)/python -m pytest
LOCK := requirements/test.lock

.DEFAULT_GOAL := help

# Keep bytecode, whatever the shell's setting: otherwise each process compiles all its imports.
unexport PYTHONDONTWRITEBYTECODE

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment: rebuilt when the lock or the package's metadata changed.
$(VENV)/ready: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)/ (once)"
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/browser: $(VENV)/ready requirements/browser.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/browser.lock
	@touch $@

env: $(VENV)/ready vendor  ## install everything into .venv/ and node_modules/

# Third-party scripts: npm packages, locked by hash; the site's theme gets the files it uses.
# Without npm on the machine, npm and node come from a Python package.
NODE := PATH="$$PATH:$(CURDIR)/$(BIN)" node
NPM := PATH="$$PATH:$(CURDIR)/$(BIN)" npm
$(VENV)/node: $(VENV)/ready requirements/node.lock
	@command -v npm >/dev/null || $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	  --require-hashes -r requirements/node.lock
	@touch $@

node_modules/ready: package.json package-lock.json .npmrc | $(VENV)/node
	@echo "installing into node_modules/ (once)"
	@$(NPM) ci --ignore-scripts --silent
	@touch $@

VENDOR := site/theme/vendor
$(VENDOR)/uplot.js: node_modules/ready
	@mkdir -p $(VENDOR)
	@cp node_modules/uplot/LICENSE $(VENDOR)/uplot.LICENSE.txt
	@cp node_modules/uplot/dist/uPlot.min.css $(VENDOR)/uplot.css
	@cp node_modules/uplot/dist/uPlot.iife.min.js $(VENDOR)/uplot.js

vendor: $(VENDOR)/uplot.js  ## the site's third-party scripts, into site/theme/vendor/

$(VENV)/bench: $(VENV)/ready requirements/bench.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/bench.lock
	@touch $@

demo: $(VENV)/ready vendor  ## fifteen synthetic shots through the whole factory, into demo/
	@$(ISHTAR) demo demo

campaign: $(VENV)/ready vendor  ## sixty synthetic shots in three weeks, with faults, into campaign/
	@$(ISHTAR) demo --campaign campaign

serve: demo  ## the demo's site on http://127.0.0.1:8000/
	@cd demo && ../$(ISHTAR) serve

# Idle workers take tests from others. There is one more than two cores, since tests of services
# and kernels spend half their time waiting.
SHARED := $(PYTEST) -q -n 3 --dist worksteal

test: $(VENV)/ready vendor test-scripts  ## the tests, five minutes on two cores (no long ones, no browser)
	@$(SHARED) -m "not browser and not long"

test-fast: $(VENV)/ready  ## tests to run while writing, one minute: no kernel, no service, no site
	@$(SHARED) -m "not browser and not long and not whole"

PUBLISHED := .pytest_cache/published_scripts
test-scripts: node_modules/ready | $(VENV)/node  ## the scripts of the site, in seconds, without a browser
	@$(BIN)/python -m tests.site_scripts.published $(PUBLISHED)
	@SITE_PUBLISHED="$(CURDIR)/$(PUBLISHED)" $(NODE) --test-reporter=dot tests/site_scripts/all.js

test-long: $(VENV)/ready vendor  ## the long tests
	@$(PYTEST) -q -n 2 --dist loadfile -m "long and not browser"

test-far: $(VENV)/ready  ## near and far once more, the site served by nginx (on the path)
	@ISHTAR_TEST_SERVER=nginx $(SHARED) tests/test_contract_near_far.py tests/test_archive*.py

test-all: test test-long  ## all tests except those in the browser

test-browser: $(VENV)/browser campaign  ## the campaign's site in headless Chromium (needs `chromium` on the path)
	@$(PYTEST) -q -m browser tests/browser

check: $(VENV)/ready vendor  ## format, lint, import direction, types (scripts included)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo --cache-dir .pytest_cache/imports
	@$(BIN)/mypy
	@$(NODE) node_modules/typescript/bin/tsc
	@$(PYTEST) -q tests/test_structure.py

$(VENV)/docs: $(VENV)/ready requirements/docs.lock
	@$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r requirements/docs.lock
	@touch $@

reference: $(VENV)/docs  ## the API reference as pages, into docs/reference/
	@$(BIN)/python docs/reference.py

format: $(VENV)/ready  ## format the code and fix lint
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: demo  ## truth, arrival to page, ingest compared with a copy, peak memory
	@$(BIN)/python bench/truth.py demo
	@$(BIN)/python bench/arrival.py
	@$(BIN)/python bench/report.py demo
	@$(BIN)/python bench/ingest.py

bench-library: $(VENV)/ready  ## the library on a shot of 4 GB (15 GB of disk temporarily), queries, plans
	@$(BIN)/python bench/library.py
	@$(BIN)/python bench/catalogue.py
	@$(BIN)/python bench/plan.py

bench-langmuir: $(VENV)/bench  ## the Langmuir analysis: error bars, other physics, real sweeps, speed against PlasmaPy
	@$(BIN)/python bench/langmuir_scenarios.py
	@$(BIN)/python bench/langmuir_real.py
	@$(BIN)/python bench/langmuir_speed.py

bench-lines: $(VENV)/ready  ## spectral lines 2 to 12 bins apart: errors, sigmas, coverage
	@$(BIN)/python bench/lines.py

bench-site: campaign  ## one more shot among 100, 1,000 and 10,000; a full build; page weights
	@$(BIN)/python bench/site.py campaign

# The Python of the peers, tiled, h5grove and kerchunk: bench/far.py says how to make it.
PEERS ?=
bench-far: $(VENV)/ready  ## a published shot of 4 GB over a slow line (needs nginx; PEERS=python of the peers)
	@$(BIN)/python bench/far.py $(if $(PEERS),--peers $(PEERS))

leaks: $(VENV)/ready  ## 500 reports: do processes, threads or files leak?
	@$(BIN)/python bench/leaks.py

fuzz: $(VENV)/ready  ## damaged and crafted raw files against ingest, for five minutes
	@$(BIN)/python -m tests.fuzz --seconds 300

crash: $(VENV)/ready  ## the service killed at 200 random moments, under a stream of shots (about 15 minutes)
	@$(BIN)/python -m tests.crash --kills 200

faults: $(VENV)/ready  ## the service under injected faults for half an hour
	@$(BIN)/python -m tests.faults --minutes 30

lock: $(VENV)/ready  ## update the locked requirements (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  pyproject.toml -o requirements/run.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check pyproject.toml -o requirements/test.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra test --extra check --extra browser pyproject.toml -o requirements/browser.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements/test.lock requirements/bench.in -o requirements/bench.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  -c requirements/test.lock requirements/docs.in -o requirements/docs.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
	  requirements/node.in -o requirements/node.lock
	@$(NPM) install --package-lock-only --silent

wheel: $(VENV)/ready vendor  ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .

clean:  ## remove generated files (not .venv/ and node_modules/)
	rm -rf demo campaign dist .pytest_cache .mypy_cache .ruff_cache tests/browser/shots

.PHONY: help env vendor demo campaign serve test test-fast test-scripts test-long test-far test-all test-browser check reference format bench bench-library bench-langmuir bench-lines bench-site bench-far leaks fuzz crash faults lock wheel clean
