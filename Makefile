# Everything that the README promises. Needs Python >= 3.11 and make; sets up a virtual environment in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
DEMO ?= Demo

.PHONY: demo test lint format bench wheel clean

demo: $(RUNTIME)  ## make a phantom pair and MIND models, register them, print the landmark error
	$(BIN)/elastix-impact demo $(DEMO)

test: $(DEVELOPMENT)  ## run the tests
	$(BIN)/python -m pytest

lint: $(DEVELOPMENT)  ## style, types, and who may import whom
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEVELOPMENT)
	$(BIN)/ruff check --fix src tests benchmarks tools
	$(BIN)/ruff format src tests benchmarks tools

bench: $(DEVELOPMENT)  ## accuracy, time and memory beside itk-elastix on the same data (needs ../shared)
	$(BIN)/python -m benchmarks

wheel: $(DEVELOPMENT)
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) $(DEMO) dist build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/dev.txt -e .
	touch $@

$(DEVELOPMENT): pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/dev.txt -e ".[dev]"
	touch $@ $(RUNTIME)
