# One virtual environment, made on first use; every target works from a fresh clone.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test check clean dist golden schemas figures site

$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(VENV)/.runtime  ## compile the shipped token-choice model and show the comparison
	$(BIN)/moexbar compile examples/models/token_choice.onnx --chip hermes-mux2 \
	    --inputs examples/models/heldout.npz --prefill 128 -o build/demo

check: $(VENV)/.dev  ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

test: check  ## everything that CI runs
	$(BIN)/pytest -n 2

golden: $(VENV)/.dev  ## rewrite the golden texts after a deliberate change
	$(BIN)/pytest --update-golden

schemas: $(VENV)/.runtime  ## rewrite docs/schemas after a change of what --json prints or mapping.json holds
	$(BIN)/python -m moexbar.report.schema

figures: $(VENV)/.runtime  ## print the figures of README and docs anew, but those that take a minute or more
	$(BIN)/python -m benchmarks.figures --quick

site: $(VENV)/.dev  ## the documentation as pages to browse, in build/site
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

dist: $(VENV)/.dev  ## sdist and wheel, in dist/
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
