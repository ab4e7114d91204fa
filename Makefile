# Everything that the README promises. Needs Python >= 3.11 and make; sets up a virtual environment in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
DEMO ?= Demo
BUILD_IMAGE ?= $(if $(shell command -v docker),docker build,buildah bud)
IMAGE_OPTIONS ?=
PEERS ?=
MUTANTS ?=
FUZZ_CASES ?= 500

.PHONY: demo test test-slow lint format bench peers mutants fuzz wheel image test-image clean

demo: $(RUNTIME)  ## make a phantom pair and MIND models, register them, print the landmark error
	$(BIN)/elastix-impact demo $(DEMO)

test: $(DEVELOPMENT)  ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-slow: $(DEVELOPMENT)  ## run the tests that take minutes each
	$(BIN)/python -m pytest -m slow

lint: $(DEVELOPMENT)  ## style, types, and who may import whom
	$(BIN)/ruff check --no-cache src tests benchmarks tools
	$(BIN)/ruff format --no-cache --check src tests benchmarks tools
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEVELOPMENT)
	$(BIN)/ruff check --fix src tests benchmarks tools
	$(BIN)/ruff format src tests benchmarks tools

bench: $(DEVELOPMENT)  ## accuracy, time and memory beside itk-elastix on the same data (needs ../shared)
	$(BIN)/python -m benchmarks

peers: $(DEVELOPMENT)  ## ours beside elastix, ANTs, greedy and convexAdam on the same pairs (needs ../shared; hours), PEERS="--pairs brain"
	$(BIN)/python -m benchmarks.peers $(PEERS)

mutants: $(DEVELOPMENT)  ## plant small faults, one at a time, and see whether the tests see them (an hour), MUTANTS="--rooms metrics --faults 20"
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.mutants $(MUTANTS)

fuzz: $(DEVELOPMENT)  ## damaged maps, images, transforms, landmarks, records and models, FUZZ_CASES=20000
	FUZZ_CASES=$(FUZZ_CASES) $(BIN)/python -m pytest tests/fuzz -o timeout=0

wheel: | $(BIN)/python  ## the package as one file, beside the Dockerfile
	rm -f docker/elastix_impact-*.whl
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir docker .

image: wheel  ## the container image elastix_impact, by docker or else buildah; IMAGE_OPTIONS="--build-arg VARIANT=cpu"
	cd docker && $(BUILD_IMAGE) -t elastix_impact $(IMAGE_OPTIONS) .

test-image: $(DEVELOPMENT)  ## build the image's CPU variant and run it (root, buildah, debootstrap; minutes)
	$(BIN)/python -m pytest tests/image -m image

clean:
	rm -rf $(VENV) $(DEMO) build docker/elastix_impact-*.whl

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/dev.txt -e .
	touch $@

$(DEVELOPMENT): pyproject.toml constraints/dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/dev.txt -e ".[dev]"
	touch $@ $(RUNTIME)
