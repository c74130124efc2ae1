# `make help` lists what there is. Needs GNU make and Python 3.11 or newer; the rest comes from PyPI.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# The environment's own uv, also when another is installed, so that every machine resolves alike.
UV := $(BIN)/python -m uv
PACKAGES := contracts runtime services simulators demo tests benchmarks scripts
# What the tests and the demo start is compiled once, and not at every start.
unexport PYTHONDONTWRITEBYTECODE
# A cache on another file system would make uv warn on every file.
export UV_LINK_MODE ?= copy

.PHONY: help env check format generate unit test programs prove mutants money faults demo matrix soak bench docs lock clean

help: ## this list
	@echo "make TARGET, one of:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12
	@echo "PYTHON=/path/to/python3.12 chooses the Python of a new environment."

env: $(STAMP) ## make the environment in .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Tandem needs Python 3.11 or newer; '$(PYTHON)' is $$({ $(PYTHON) --version || echo missing; } 2>/dev/null)."; \
	  echo "Install one (apt install python3 python3-venv, or python.org), or name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	  exit 1; } >&2
	@[ -x $(BIN)/python ] || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' lacks the modules venv and ensurepip, which make the environment."; \
	  echo "Install them, on Debian and Ubuntu with: apt install python3-venv"; \
	  exit 1; } >&2
	@[ -x $(BIN)/python ] || { echo "Making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@$(UV) --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

check: env ## style, types and import rules, of the tests and benchmarks too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/lint-imports

format: env ## rewrite the code in the one style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

generate: env ## write anew what is written from the code: docs/cli.md, docs/fields.md, docs/settings.md, contracts/schemas
	$(BIN)/python -m tests.generated

unit: env ## the tests of one minute, without a Kafka: tests/unit and tests/flow; ARGS="-k name" chooses
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit tests/flow $(ARGS)

# Four processes on one Kafka, since most of them wait; ARGS="-n 0" for one. TANDEM_PATIENCE=3 waits three times as long.
test: env programs ## every test, the ones on a real Kafka included; ARGS="-k name" chooses
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

programs: ## Chromium and kcat of Debian, which some tests use, where they can be installed
	@sh scripts/debian_programs.sh

prove: env ## both state machines, of the sync and of the books, on ten times as many random histories, and fuzzing
	TANDEM_PROVE=10 $(BIN)/python -m pytest -n 2 -p no:cacheprovider --hypothesis-show-statistics tests/property \
	  tests/unit/test_fuzz.py \
	  --deselect tests/property/test_mutants.py $(ARGS)

mutants: env ## hand-made faults of the linker's core, each of which the suite must notice
	$(BIN)/python -m tests.mutants

money: env ## 10,000 orders through both mappings, judged in fractions; ARGS="2000 --seed 7", ARGS="--order SEED"
	$(BIN)/python -m tests.money $(ARGS)

faults: env ## people edit while everything breaks, judged from outside; ARGS="--rounds 3 --seed 7 --scenario storm"
	$(BIN)/python -m tests.faults $(ARGS)

demo: env ## the whole system with simulated vendors; ONCE=1 ends when both sides agree, SOURCE=invoices sells no goods
	$(BIN)/python -m demo $(if $(ONCE),--once) $(if $(SOURCE),--source $(SOURCE))

matrix: env ## unit level and wheel on every Python here, with oldest and newest dependencies; ARGS="3.12 --oldest"
	$(BIN)/python -m tests.matrix $(ARGS)

soak: env ## edits for MINUTES=30: whether memory, open files or lag grow, as build/soak.csv and build/soak.svg
	$(BIN)/python -m benchmarks.soak $(or $(MINUTES),30)

bench: env ## the benchmarks
	$(BIN)/python -m benchmarks $(ARGS)

docs: env ## the documentation as a site, in build/site; a broken link or anchor fails
	@# Not --quiet, which would hide warnings from the strict build too.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "build/site/index.html; to search it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8765"

lock: env ## resolve the dependencies anew, with hashes
	$(UV) pip compile --universal --generate-hashes --no-emit-index-url --extra dev --extra kafka --extra traces --extra docs \
	  --upgrade pyproject.toml -o requirements.lock
	@# For the container image: the same versions less development, and less Java and its resolver (the extra "kafka").
	$(UV) pip compile --universal --generate-hashes --no-emit-index-url \
	  -c requirements.lock pyproject.toml -o requirements.runtime.lock
	@# For the benchmark of the peers, in an environment of its own: Quix Streams holds pydantic below what is needed here.
	$(UV) pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 --upgrade \
	  benchmarks/quix_streams/requirements.in -o benchmarks/quix_streams/requirements.lock

clean: ## remove the environment and everything generated; Kafka's data in .tandem stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
