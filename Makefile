# The commands of README. `make run` and `make test` need Python 3.11 and make only.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 100000

.PHONY: help run test bench lint format types
help:  ## what the commands do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python %s is too old; 3.11 or newer is needed." % sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.txt | $(VENV)/.python
	@echo "Installing what is pinned in requirements.txt …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt | $(VENV)/.python
	@echo "Installing what is pinned in requirements-dev.txt …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed  ## bring up everything, in one foreground process group
	@exec $(BIN)/python -m governance.runtime.supervise

test: $(VENV)/.installed-dev  ## the tests
	@$(BIN)/python -m pytest -q -n 3 --dist loadgroup

bench: $(VENV)/.installed-dev  ## the benchmarks; SCALE=1000000 sets the population
	@$(BIN)/python -m bench --scale $(SCALE)

lint: $(VENV)/.installed-dev  ## style, import layers, templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/djlint --lint --quiet templates

format: $(VENV)/.installed-dev  ## write the style that lint checks
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.installed-dev  ## type checking
	@$(BIN)/mypy
