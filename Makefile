# Everything a developer runs. `make` lists the targets.

PYTHON ?= $(shell for p in python3.11 python3; do $$p -c '' 2>/dev/null && { echo $$p; break; }; done)
# One more than there are cores: what talks to a broker mostly waits.
PYTEST_ARGS ?= -n $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1))) --dist loadgroup

BIN   := .venv/bin
STAMP := .venv/.installed
TOOLS := .cache/lock

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports scenarios properties simulate mutants format kafka browser vendor chaos bench docs lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Create .venv with the locked dependencies and this project

$(STAMP): requirements/dev.txt pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed; name it with: make PYTHON=python3.11 ...' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Show the monitor at work on a made-up ward, in a browser
	$(BIN)/rescue-monitor demo

test: lint types imports scenarios browser ## Check everything: style, types, import contracts, scenarios, tests
	$(BIN)/python -m pytest --ignore=tests/scenarios $(PYTEST_ARGS)

lint: setup ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup ## Check types
	$(BIN)/mypy

imports: setup ## Check which package may import which
	$(BIN)/lint-imports

scenarios: setup ## Play every scenario; together they must show all that the packs' conditions can be
	$(BIN)/rescue-monitor rules test tests/scenarios --coverage --fail-under 100

COURSES ?= 2500
WHAT ?= packs

properties: setup ## Compare the engine with the reference on COURSES=2500 random courses and all scenarios; takes hours
	PROPERTY_SCALE=$$(( $(COURSES) / 10 )) $(BIN)/python -m pytest tests/reference $(PYTEST_ARGS)
	PROPERTY_SCALE=10 $(BIN)/python -m pytest tests/rules/test_properties.py tests/rules/test_steps.py tests/courses $(PYTEST_ARGS)
	RESCUE_MONITOR_FUZZ=200 $(BIN)/python -m pytest tests/service/test_openapi.py

SEEDS ?= 1000
FIRST ?= 0

simulate: setup ## Simulate SEEDS=1000 histories of disks, brokers, clocks, senders and people, and check every promise
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST)

mutants: setup ## List small changes of the rules that no test notices; WHAT='packs ards' SAMPLE=40; all takes hours
	$(BIN)/python -m tests.mutation $(WHAT) $(if $(SAMPLE),--sample $(SAMPLE))

browser: setup ## Find the Chromium that the dashboard is tested in, or install one
	$(BIN)/python -m tests.dashboard.browser

vendor: setup ## Fetch the browser libraries of the dashboard anew, at their pinned versions
	$(BIN)/python -m monitor.dashboard.vendoring

format: setup ## Rewrite files into the project's style
	$(BIN)/ruff check --fix --exit-zero --silent
	$(BIN)/ruff format

kafka: ## Run a Kafka broker for tests and developers
	deploy/kafka/run

chaos: setup ## Kill workers and stop the broker under load; CHAOS='--seed 2 --kills 5' chooses how
	$(BIN)/python -m tests.chaos $(CHAOS)

bench: setup ## Measure throughput and latency
	$(BIN)/python -m tests.bench

docs: setup browser ## Rewrite what is generated: demo log, life of an alert, wire format, API, pictures
	$(BIN)/python -m monitor.demo.build
	$(BIN)/python docs/lifecycle.py
	$(BIN)/python docs/picture.py
	$(BIN)/python docs/wire.py
	$(BIN)/python docs/openapi.py
	$(BIN)/python docs/screens.py

COMPILE := CUSTOM_COMPILE_COMMAND='make lock' $(TOOLS)/bin/pip-compile --quiet --no-config --upgrade \
	--generate-hashes --allow-unsafe --strip-extras --no-emit-options

lock: ## Resolve dependencies anew into requirements/
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet pip-tools==7.6.2
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra dev --constraint requirements/runtime.txt --output-file requirements/dev.txt pyproject.toml
	$(COMPILE) --output-file requirements/peers.txt requirements/peers.in
	sed -i '/^-/d' requirements/*.txt # where packages come from is a setting of the machine

clean: ## Remove everything that make created
	rm -rf .venv .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find rules streams monitor tests -type d -name __pycache__ -prune -exec rm -rf {} +
