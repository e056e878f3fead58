# Everything a person types in this checkout. Needs make and Python 3.11 or newer; `make` alone lists the targets.
SHELL := /bin/sh
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
DEV_READY := $(VENV)/.dev-ready
RULES_READY := tests/rules/node_modules/.package-lock.json
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --exclude-newer "1 week"
CORPUS ?= ../shared/corpus
# Tests wait as often as they compute: two for each processor, eight at the most.
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n * 2 : 8)))

.DEFAULT_GOAL := help
.PHONY: help run demo-check test test-firebase check fix lock bench drills corpus

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_READY) ## the whole product on this machine against simulated Telegram and MetaApi
	@$(BIN)/signalfleet demo

demo-check: $(RUN_READY) ## the same without a browser: follows a few signals to their trades and judges them
	@$(BIN)/signalfleet demo --check

test: $(DEV_READY) $(RULES_READY) ## all tests that need nothing but this machine
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(JOBS) --dist worksteal --durations 10 --durations-min 2

test-firebase: $(DEV_READY) ## the store's tests on a real project, all in FIREBASE_TEST_URL is deleted
	@test -n "$$FIREBASE_TEST_URL" || { echo "UNVERIFIED: Firebase store never ran against the real service"; \
	  echo "FIREBASE_TEST_URL=https://EMPTY-INSTANCE.firebaseio.com make test-firebase; see docs/firebase.md"; exit 1; }
	@$(BIN)/python -m pytest -q -k firebase tests/contract/store

check: $(DEV_READY) ## format, lint, import directions, types, own rules
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not formatted: make fix"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@out=$$(PYTHONPATH=src $(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m tools.lint src bench drills
	@echo "check: format, lint, imports, types and own rules hold"

fix: $(DEV_READY) ## format and mend what a machine can mend
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

lock: $(DEV_READY) ## resolve requirements/*.in again into hashed locks; nothing younger than a week
	@$(LOCK) --upgrade requirements/run.in -o requirements/run.lock
	@$(LOCK) --upgrade -c requirements/run.lock requirements/dev.in -o requirements/dev.lock

bench: $(DEV_READY) ## measure; one JSON line for each figure
	@$(BIN)/python -m bench --json

drills: $(DEV_READY) ## provoke failures on real processes; one JSON line for each drill
	@$(BIN)/python -m drills --json

corpus: $(RUN_READY) ## how well the labelled messages in CORPUS are understood, by family and by language
	@test -f $(CORPUS)/dev.jsonl || { echo "No corpus at $(CORPUS): make corpus CORPUS=folder"; exit 1; }
	@mkdir -p build
	@$(BIN)/signalfleet parse --jsonl < $(CORPUS)/dev.jsonl > build/corpus-read.jsonl
	@$(BIN)/python $(CORPUS)/score.py $(CORPUS)/dev.jsonl build/corpus-read.jsonl --by family
	@$(BIN)/python $(CORPUS)/score.py $(CORPUS)/dev.jsonl build/corpus-read.jsonl --by lang

# An environment whose interpreter is gone is made anew, with everything in it.
$(shell test -x $(BIN)/python || rm -f $(RUN_READY) $(DEV_READY))

# The virtual environment. PYTHON=... chooses the interpreter; else the first that is new enough.
$(BIN)/python:
	@for candidate in $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	  command -v $$candidate >/dev/null 2>&1 || continue; \
	  $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { found=$$candidate; break; }; \
	  old="$$old $$candidate ($$($$candidate -V 2>&1))"; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "SignalFleet needs Python 3.11 or newer.$${old:+ Found only:$$old.}"; \
	  echo "Install it, or name it: make PYTHON=/path/to/python3.11 ..."; exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found has no venv module. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found -V)"; \
	$$found -m venv --clear $(VENV)

$(RUN_READY): requirements/run.lock pyproject.toml $(BIN)/python
	@echo "Installing what the product needs (once)"
	@$(PIP) --require-hashes -r requirements/run.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_READY): requirements/dev.lock $(RUN_READY)
	@echo "Installing the developers' tools (once)"
	@$(PIP) --require-hashes -r requirements/dev.lock
	@touch $@

# The judge of the Firebase rules. Its test says so where there is no npm.
$(RULES_READY): tests/rules/package-lock.json
	@command -v npm >/dev/null 2>&1 || exit 0; \
	echo "Installing the judge of the Firebase rules (once)"; \
	npm ci --prefix tests/rules --silent
