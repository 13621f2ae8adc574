.DEFAULT_GOAL := help
# The interpreter of a new .venv. Empty: the first python3.11 on the PATH that was built with PGO, or else the first.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Compiled in advance, so that the first start of a gateway does not wait for it; pip does it for the dependencies.
SOURCES := gateway schema resolvers models loyalty
BENCH_STAMP := $(VENV)/.bench-installed
# pip prints errors only: a warning about its index or its cache is not for the person who starts Carillon.
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
# Processes that run the tests, each with its own mongod and gateways: one per core. A few tests (ARGS="-k refund")
# finish before several processes have started, so pytest runs them alone; TEST_WORKERS=4 overrides this.
TEST_WORKERS ?= $(if $(ARGS),0,auto)
# The whole run measures branch coverage and fails below `fail_under` in pyproject.toml; `make test COVERAGE=` does not.
COVERAGE ?= $(if $(ARGS),,--cov)

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(or $(PYTHON),python3.11) -m tools.environment $(if $(PYTHON),--this) $(VENV)
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(SOURCES)
	touch $@

install: $(STAMP) ## Create .venv with the carillon command

clients: $(STAMP) ## Build the screens and the playground (needs Node 20; fetched from PyPI if missing)
	VENV=$(VENV) sh clients/build.sh

up: install clients ## Start everything: embedded MongoDB, real data, API, screens and playground
	$(BIN)/carillon up $(ARGS)

test: install clients ## Run the tests on a real mongod, on all cores, and measure their coverage
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(COVERAGE) $(ARGS)

test-unit: install ## Run tests/unit in seconds: no mongod, no screens, fewer examples of property tests
	OPERATIONS=$${OPERATIONS:-150} $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist=worksteal --hypothesis-profile=quick tests/unit $(ARGS)

check: install ## Lint, types of code, tests and measurements, floors and strata, committed schema
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/carillon schema --check

wheel: install ## Build the wheel and the sdist into dist/, and run the wheel in an empty environment
	$(BIN)/python -m tools.wheel

release: install ## Build and check the release of the current commit from a clean clone
	$(BIN)/python -m tools.release

format: install ## Format, and apply automatic fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: install ## Write schema/schema.graphql and docs/rights.md from the code
	$(BIN)/carillon schema > schema/schema.graphql
	$(BIN)/carillon schema --rights > docs/rights.md

$(BENCH_STAMP): $(STAMP) requirements-bench.lock bench/peers/package-lock.json bench/peers/live-node/package-lock.json
	$(PIP_INSTALL) --require-hashes -r requirements-bench.lock
	cd bench/peers && npm ci --silent --ignore-scripts
	cd bench/peers/live-node && npm ci --silent --ignore-scripts
	touch $@

bench-install: $(BENCH_STAMP) ## Install the peers that Carillon is compared with (needs Node 20.19 and wrk)

bench: bench-install ## Measure: reads and events compared with the peers, then live updates
	$(BIN)/python -m bench.peers $(ARGS)
	$(BIN)/python -m bench.live

bench-growth: install ## Measure: the cost of a request and of an event with 1,000 to 1,000,000 members
	$(BIN)/python -m bench.growth $(ARGS)

bench-offers: install ## Measure: the ranking on real redemptions, and a catalogue of 100,000 offers against 100
	$(BIN)/python -m bench.ranking
	$(BIN)/python -m bench.catalogue

lock: install ## Write the lock files: exact versions and hashes, no index named
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --no-annotate --generate-hashes \
		--python-version 3.11 --universal --extra demo --extra dev -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --no-annotate --generate-hashes \
		--python-version 3.11 --universal -o requirements-serve.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --no-header --no-emit-index-url --no-annotate --generate-hashes \
		--python-version 3.11 --universal --extra bench --constraint requirements.lock \
		-o requirements-bench.lock pyproject.toml

.PHONY: help install clients up test test-unit check wheel release format schema bench bench-install bench-growth bench-offers lock
