# Everything runs in the project's own environment, .venv; `make demo` in a fresh clone is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install demo test test-all lint check format package bench docs clean

help:  ## Say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/.installed  ## Make .venv with rote and its development tools

demo: install  ## Find the EMM of a small diffusion model on real digits (minutes, no download)
	$(BIN)/rote emm --data digits --preset tiny --workers 2 --out runs/demo

test: install  ## Run the tests that take minutes together, two at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-all: install  ## Run every test, those marked slow too: whole studies, Ray, killed processes
	$(BIN)/python -m pytest -n 3 --dist loadfile  # three: many wait for processes of their own

lint: install  ## Format, lint and types
	$(BIN)/ruff format --check src tests benchmarks docs examples
	$(BIN)/ruff check src tests benchmarks docs examples
	$(BIN)/mypy

check: lint  ## What every commit passes: lint and the quick tests
	$(BIN)/python -m pytest tests/architecture tests/unit -q -m "not slow"

format: install  ## Format and fix
	$(BIN)/ruff format src tests benchmarks docs examples
	$(BIN)/ruff check --fix src tests benchmarks docs examples

package: install  ## Build sdist and wheel into dist/, and audit with the wheel in an environment of its own
	.ci/package

bench: install  ## Run the benchmarks that need no data and no GPU (docs/performance.md has the others)
	for name in neighbors engines training; do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

$(VENV)/.docs: pyproject.toml constraints.txt
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

docs: $(VENV)/.docs  ## Build the site into site/: open site/index.html, no network needed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:  ## Remove what make built (not runs/)
	rm -rf $(VENV) site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
