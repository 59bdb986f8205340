# `make help` lists the targets. Needs only Python 3.11 to 3.13; everything else is installed into .venv from the lock.
.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-browser bench lint audit format schemas docs docs-serve lock soak release clean

PYTHON ?= $(shell for v in 3.11 3.12 3.13; do command -v python$$v && break; done 2>/dev/null || command -v python3)
BIN := .venv/bin
WORKERS ?= 3
MINUTES ?= 10

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: .venv/.installed ## install the locked dependencies into .venv

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into .venv (once) …"
	@if command -v uv >/dev/null; then \
		uv venv -q --allow-existing -p $(PYTHON) .venv && \
		uv pip install -q -p $(BIN)/python --require-hashes -r requirements.lock && \
		uv pip install -q -p $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv .venv && \
		$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: setup ## run everything on stand-in servers, UI on http://localhost:3000
	@$(BIN)/sync-orchestration demo

dev: setup ## run everything on the systems configured in .env
	@$(BIN)/sync-orchestration dev

test: setup lint ## all checks and tests
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-browser: setup .venv/.browser ## what people do in a real browser (needs the system's Chromium); PICTURES=1 keeps pictures
	$(if $(PICTURES),WALK_PICTURES=1) $(BIN)/pytest sync_orchestration_tests/browser

lint: setup ## format, lint, types, lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m sync_orchestration_tests.check_lock

audit: setup ## ask the index whether a locked dependency is known to be vulnerable (needs the network)
	$(BIN)/python -m sync_orchestration_tests.audit

format: setup ## mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup .venv/.bench ## measure, side by side in one run, against others; writes docs/performance.md
	$(BIN)/python -W ignore -m sync_orchestration_tests.benchmarks $(WHICH) $(if $(ROUNDS),--rounds $(ROUNDS))

.venv/.%: requirements-%.lock .venv/.installed
	@if command -v uv >/dev/null; then \
		uv pip install -q -p $(BIN)/python --no-deps --require-hashes -r $<; \
	else \
		$(BIN)/pip install -q --disable-pip-version-check --no-deps --require-hashes -r $<; \
	fi
	@touch $@

soak: setup ## kill, break and restart everything for MINUTES=10 (SEED=…), then see whether anything is lost or doubled
	$(BIN)/python -W ignore -m sync_orchestration_tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

schemas: setup ## write the JSON schemas of the YAML folders anew, after a change of a setting
	$(BIN)/python -m sync_orchestration_tests.schemas

PINS := --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url --no-header -q

lock: ## renew the locks from pyproject.toml: ours, the image's, those of benchmarks and browser tests (needs uv)
	uv pip compile pyproject.toml $(PINS) --group dev --extra telemetry -o requirements.lock
	uv pip compile pyproject.toml $(PINS) --extra celery --extra kubernetes --extra telemetry -c requirements.lock \
		-o deploy/requirements.lock
	uv pip compile $(PINS) --group bench -c requirements.lock -o requirements-bench.lock
	uv pip compile $(PINS) --group browser -c requirements.lock -o requirements-browser.lock
docs: setup ## build the guide into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

docs-serve: setup ## serve the guide while you write it, on http://localhost:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --strict

release: setup ## check and test what is committed, then tag it as VERSION=1.2.3; pushes nothing
	@$(BIN)/python -m sync_orchestration_tests.release check "$(VERSION)"
	$(MAKE) test
	@$(BIN)/python -m sync_orchestration_tests.release tag "$(VERSION)"

clean: ## stop the embedded PostgreSQL and forget all local state
	@if [ -x $(BIN)/sync-orchestration ]; then $(BIN)/sync-orchestration stop; fi
	rm -rf .sync
