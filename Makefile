# `make demo` and `make test` are all a fresh machine needs: Python >= 3.11 and make.
# A second run re-uses the environment; it is renewed when pyproject.toml or constraints.txt changes.

VENV ?= .venv
# the first interpreter that is new enough and can make environments; override with `make PYTHON=/path/to/python`
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# a CPU build of torch from its own index: make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
PIP_ARGS ?=
# a file stays with one worker, so that what its tests share is made once
PYTEST_ARGS ?= -n 2 --dist loadfile
DEMO ?= demo-run

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check $(PIP_ARGS) -c constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)

# Small graphs run fastest on one thread a process; parallelism comes from processes.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow coverage lint format bench-help clean-demo clean

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

demo: $(BIN)/.installed ## install, then design hard materials into demo-run/ (minutes)
	$(BIN)/matwright design --target "bulk_modulus>=200 GPa" --target "shear_modulus>=100 GPa" \
		--minimise e_above_hull --exclude Be,Cd,Hg,Tl,Pb,Tc,Pm,Ac,Th,Pa,U,Np,Pu --new-compositions \
		--budget 40 --pool 4000 --seed 0 --out $(DEMO) $(if $(wildcard $(DEMO)/run.json),--resume)
	@echo "Open $(DEMO)/report.html in a browser; every candidate with its verdicts is in $(DEMO)/candidates.csv."

test: $(BIN)/.installed-dev ## install with the developer's tools, then run the tests
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-slow: $(BIN)/.installed-dev ## the tests that take longer
	$(BIN)/python -m pytest -m slow

coverage: $(BIN)/.installed-dev ## the tests, with the lines they do not reach
	$(BIN)/python -m pytest $(PYTEST_ARGS) --cov --cov-report=term

lint: $(BIN)/.installed-dev ## style, formatting, types and the layer contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(BIN)/.installed-dev ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-help: ## the benchmarks, one line each
	@for f in benchmarks/*.py; do printf '%s\t%s\n' "$$f" "$$(sed -n '1s/^"""\([^"]*\).*/\1/p' "$$f")"; done | expand -t 36
	@echo "Protocols and numbers: docs/benchmarks.md. Run one with: $(BIN)/python benchmarks/NAME.py --help"

clean-demo: ## remove the demo's output
	rm -rf $(DEMO)

clean: clean-demo ## remove the environment and every cache
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/.environment:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv found; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and alone: its pin decides which build of everything else fits
$(BIN)/.installed: $(BIN)/.environment pyproject.toml constraints.txt
	@echo "Installing into $(VENV): about two minutes and two gigabytes, once."
	$(PIP) $(TORCH)
	$(PIP) -e .
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(PIP) -e ".[dev,all,bench]"
	@touch $@
