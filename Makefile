# What people type. `make` alone lists the targets.
#
#   PYTHON=python3.12   another Python, with a folder of its own: .venv-3.12
#   ARGS="-k ledger"    handed to pytest, or to the demo
#   WORKERS=0           test processes (0: in this process, for a debugger)
#   ASTERISK=16         test-asterisk, lab and models: Asterisk 16 of Debian bullseye instead of 22 of sid
#   ASTERISK=lab        demo: the real Asterisk of `make lab` instead of the emulated one

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
ifeq ($(PYTHON),python3)
VENV := .venv
else
VENV := .venv-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
endif
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest
RELEASE := $(if $(filter 16,$(ASTERISK)),bullseye,sid)
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --quiet

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(INSTALLED) ## make .venv with everything; quick when it is up to date

$(INSTALLED): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo "'$(PYTHON)' is not a Python of 3.11 or later; name one: make install PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -r requirements-dev.txt
	@touch $@

.PHONY: demo
demo: $(INSTALLED) ## the engine calls everybody on an emulated Asterisk (ASTERISK=lab: on the real one)
	$(BIN)/python main.py demo $(if $(ASTERISK),--asterisk $(ASTERISK)) $(ARGS)

.PHONY: check
check: format-check lint types imports secrets test ## all of what follows, and the tests
	@echo "check: all good"

.PHONY: format-check
format-check: $(INSTALLED) ## is everything formatted?
	$(BIN)/ruff format --check --diff .

.PHONY: lint
lint: $(INSTALLED) ## ruff
	$(BIN)/ruff check .

.PHONY: types
types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

.PHONY: imports
imports: $(INSTALLED) ## who may import whom
	$(BIN)/lint-imports

.PHONY: secrets
secrets: $(INSTALLED) ## is a credential in the tree?
	$(BIN)/python -m tests.house.secret_scan

.PHONY: test
test: $(INSTALLED) ## the tests that need neither root nor Asterisk
	$(PYTEST) -m "not asterisk" -n $(WORKERS) $(ARGS)

.PHONY: lab
lab: $(INSTALLED) ## build and start a real Asterisk in var/lab (needs root)
	$(BIN)/python -m scripts.lab start --release $(RELEASE)

# A lab that was running before stays up; one that was started here is stopped, whatever the tests say.
.PHONY: test-asterisk
test-asterisk: $(INSTALLED) ## the tests against a real Asterisk (needs root or Docker)
	@if [ "$$(id -u)" != 0 ]; then \
		command -v docker >/dev/null || { echo "test-asterisk needs root or Docker: run it with sudo, or install Docker" >&2; exit 1; }; \
		exec docker run --rm --privileged -v "$(CURDIR)":/source:ro debian:bookworm \
			sh -c 'mkdir /linekeeper && cd /source && tar c --exclude=./.venv* --exclude=./var . | tar x -C /linekeeper && ASTERISK=$(ASTERISK) /linekeeper/.ci/run asterisk'; \
	fi; \
	export LAB_RELEASE=$(RELEASE) LAB_DIR="$${LAB_DIR:-$(CURDIR)/var/lab/$(RELEASE)}"; \
	lab="$(BIN)/python -m scripts.lab"; \
	if $$lab status --quiet --release $(RELEASE) >/dev/null 2>&1; then stop=:; else stop="$$lab stop --release $(RELEASE)"; fi; \
	trap '$$stop' EXIT; trap 'exit 130' INT TERM; \
	$$lab start --release $(RELEASE) && $(PYTEST) -m asterisk $(ARGS)

.PHONY: bench
bench: $(INSTALLED) ## every bench of scripts/bench, as JSON; fails when a figure is missed
	@missed=""; \
	benches=$$(grep -l '^if __name__ == "__main__"' scripts/bench/[a-z]*.py 2>/dev/null); \
	[ -n "$$benches" ] || { echo "scripts/bench has no bench that can be run" >&2; exit 1; }; \
	for file in $$benches; do \
		name=$$(basename $$file .py); \
		$(BIN)/python -m scripts.bench.$$name --json $(ARGS) || missed="$$missed $$name"; \
	done; \
	[ -z "$$missed" ] || { echo "missed:$$missed" >&2; exit 1; }

.PHONY: models
models: lab ## write core/ari_models.py again, from what the lab's Asterisk says of itself
	ARI_PASSWORD="$$($(BIN)/python -c 'from scripts.lab import Lab; print(Lab.at(None, "$(RELEASE)").state.password)')" \
	$(BIN)/python -m scripts.generate_ari_models --password-env ARI_PASSWORD \
		$$($(BIN)/python -c 'from scripts.lab import Lab; l = Lab.at(None, "$(RELEASE)"); print("--from", l.base_url, "--user", l.state.username)')

.PHONY: lock
lock: $(INSTALLED) ## pin requirements*.in into requirements*.txt (UPGRADE=1: to the newest versions)
	$(LOCK) $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt

# var/ is left alone: it holds calls, opt-outs and the lab, whose root has mounts. `python -m scripts.lab clean` ends that.
.PHONY: clean
clean: ## remove virtual environments and caches, never var/
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
