# Two commands: `make demo` and `make test`. Both make the environment first, once.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check quick-check slow cifar10-study clean

demo: $(VENV)/.installed
	mkdir -p demo
	$(BIN)/nextify study small --file demo/small.study --report demo/report

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: quick-check
	$(BIN)/python -m pytest

# Formatting, lint, types, import layers: everything that is quick.
quick-check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

# The study that is kept in studies/; DATA is a folder of CIFAR-10 (JPEG), named cifar10-jpeg.
KEPT = studies/cifar10-factors
cifar10-study: $(VENV)/.installed
	$(BIN)/nextify study small --data $(DATA) --image-size 32 --train-limit 10000 \
	  --experiment resolution-5 --file $(KEPT)/cifar10-factors.study --report $(KEPT)/report

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV)
