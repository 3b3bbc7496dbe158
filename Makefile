# Every task, the same for people and for continuous integration. `make help` lists them.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
VENV := .venv
BIN := $(VENV)/bin
SCHEMA := fonderie/sandbox/provider/google@7.45.0.json

# One thread a process: gradient boosting on busy cores is ten times slower with more.
export OMP_NUM_THREADS ?= 1
export CHECKPOINT_DISABLE := 1
export DISABLE_VERSION_CHECK := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# What is imported is compiled once: most of the speed of a second run.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: screenshots help setup demo test prove check lint format bench bindings schema lock clean

help:  ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install everything the tasks need, inside this folder
	@$(MAKE) -j 2 $(VENV)/.done imports/.done

demo: setup  ## the main job, end to end: no account, no credentials
	@$(BIN)/fonderie demo

test:  ## lint, then every test; ends with what it took
	@start=$$(date +%s); $(MAKE) setup lint check; code=$$?; wall=$$(($$(date +%s) - start)); times >.times; \
	awk -F '[ ms]+' -v wall=$$wall 'NR == 2 { printf "== %d s, %d s of processor time\n", wall, 60 * ($$1 + $$3) + $$2 + $$4 }' .times; \
	rm -f .times; exit $$code

check: setup
	@echo "== tests"; $(BIN)/python -m pytest -n 2 --dist worksteal

prove: setup  ## the long proofs, over every case: make prove ONLY=kill
	@$(BIN)/python -m pytest -n 2 --dist worksteal --prove --timeout=1800 -k "$(ONLY)"

lint: setup  ## ruff, mypy, import rules, build files, tables, headings and links of the pages
	@echo "== lint"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m ci.markdown_lint
	@$(BIN)/zizmor --quiet --offline --no-progress .github/workflows
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.cloudbuild ci/cloudbuild/*.yaml
	@$(BIN)/lint-imports --cache-dir .lint-imports >.lint-imports.log || { cat .lint-imports.log; exit 1; }

format: setup  ## format and mend what ruff can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup  ## measure, print ratios against their baselines, write docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks $(ONLY)

bindings: node_modules/.done  ## generate the Python classes of the resource types in use
	@rm -f imports/.done && $(MAKE) imports/.done

schema: $(VENV)/.done  ## cut the provider's schema to the resource types in use: make schema WHOLE=schema.json
	@test -n "$(WHOLE)" || { echo "name the whole schema: make schema WHOLE=schema.json"; exit 3; }
	@$(BIN)/python -m fonderie.sandbox.provider.cut < $(WHOLE)

screenshots: setup  ## draw the pictures of docs/preview.md in Chromium
	@$(BIN)/python -m tests.e2e.screenshots

lock: $(VENV)/.done  ## lock requirements/*.txt anew from pyproject.toml
	@set -e; compile="$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --python-version 3.11"; \
	export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	$$compile requirements/bootstrap.in -o requirements/bootstrap.txt; \
	$$compile pyproject.toml --group dev -o requirements/all.txt; \
	$$compile --group pipelines -c requirements/all.txt -o requirements/pipelines.txt; \
	$$compile --group serving -c requirements/all.txt -o requirements/serving.txt

clean:  ## remove everything that was generated or installed
	rm -rf $(VENV) node_modules imports cdktf.out .fonderie .mypy_cache .ruff_cache .hypothesis .lint-imports .lint-imports.log
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# PYTHON=... names another Python than the one that is set up: the environment is made anew.
minor = $(shell $(1) -c 'import sys; print(*sys.version_info[:2], sep=".")' 2>/dev/null)
ifneq ($(and $(PYTHON),$(wildcard $(BIN)/python),$(filter-out $(call minor,$(BIN)/python),$(call minor,$(PYTHON)))),)
$(VENV)/.done: other-python
.PHONY: other-python
other-python:
	@echo "== $(VENV) is of another Python than $(PYTHON): it is made anew"; rm -rf $(VENV)
endif

$(VENV)/.done: requirements/bootstrap.txt requirements/all.txt pyproject.toml
	@python=$$(sh ci/setup.sh) && echo "== Python packages into $(VENV) (about 1 GB; a minute or two the first time)" && \
	test -x $(BIN)/python || $$python -m venv $(VENV)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -q --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/bootstrap.txt requirements/all.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation --offline --editable .
	@touch $@

node_modules/.done: package.json package-lock.json
	@sh ci/setup.sh >/dev/null && echo "== cdktf's command line into node_modules (about 420 MB)"
	@npm ci --no-progress --loglevel=error >/dev/null
	@touch $@

imports/.done: $(SCHEMA) cdktf.json package-lock.json | node_modules/.done
	@echo "== bindings of $$(grep -c '^\[in_use\.' fonderie/core/resource_types.toml) resource types into imports/"
	@CI=1 FORCE_COLOR=0 CDKTF_EXPERIMENTAL_PROVIDER_SCHEMA_CACHE_PATH="$(CURDIR)/fonderie/sandbox/provider" \
	node_modules/.bin/cdktf get --force >.cdktf-get.log 2>&1 || { cat .cdktf-get.log; exit 8; }
	@rm -f .cdktf-get.log; touch $@
