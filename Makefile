# Patchbay. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SANDBOX ?= var/tryton
WORKERS ?= 2

.PHONY: help run test soak demo tryton bench check docs lock clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run  ## set everything up and serve the hub on http://127.0.0.1:8080, with a softphone beside it
	@PATCHBAY_SOFTPHONE_SPEED=$${PATCHBAY_SOFTPHONE_SPEED:-20} exec $(BIN)/patchbay serve --with-softphone

test: $(VENV)/.judges  ## the whole suite, on SQLite and on PostgreSQL
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not soak"

soak: $(VENV)/.judges  ## the long runs
	$(BIN)/pytest -m soak

demo: $(VENV)/.run  ## play a morning of traffic through a running (or freshly started) hub and print what arrived where
	@$(BIN)/python -m sandbox.demo

tryton: $(VENV)/.test  ## a real Tryton with sample data, to try (Ctrl-C ends it)
	@$(BIN)/python -m sandbox.tryton --folder $(SANDBOX) --port 8000

bench: $(VENV)/.bench  ## measure what is promised; writes bench/results.md
	$(BIN)/python -m bench

check: $(VENV)/.test  ## style, types, walls between floors, docs up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/patchbay check
	$(BIN)/python -m docs.generate --check

docs: $(VENV)/.test  ## write docs/reference anew from the declarations
	$(BIN)/python -m docs.generate

lock: $(VENV)/.uv  ## resolve the dependencies anew and pin them with hashes
	@lock() { $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --custom-compile-command "make lock" "$$@"; }; \
	lock requirements/uv.in -o requirements/uv.txt && lock requirements/run.in -o requirements/run.txt \
	&& for set in test bench; do \
	  lock -c requirements/run.txt requirements/$$set.in -o requirements/$$set.txt || exit 1; \
	done

clean:  ## remove the environment and what tools left behind (never var/, where the store is)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info

# --- the environment, each step only when what it stands on changed -------------------------------

$(VENV)/.uv: requirements/uv.txt
	@bash requirements/environment.sh "$(PYTHON)" "$(VENV)"
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/run.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

# Clients and servers from npm that judge the sandboxes; Node.js itself comes with the environment.
$(VENV)/.judges: $(VENV)/.test tests/judges/package-lock.json
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --prefix tests/judges --ignore-scripts --loglevel=error
	@touch $@

$(VENV)/.bench: $(VENV)/.run requirements/bench.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@touch $@
