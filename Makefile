# Two commands: `make demo` and `make test`. Both make the environment first, once.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test check quick-check slow gpu cifar10-crossed-study cifar10-norm-init cifar10-study cifar10-matched-study \
  cifar10-images-study cifar10-images-rates clean

# Four epochs and not the default six, so that it ends within ten minutes on a slow machine, too.
demo: $(VENV)/.installed
	mkdir -p demo
	$(BIN)/nextify study small epochs=4 --file demo/small.study --report demo/report

# In two processes, each with one thread: what is tested is too small for more.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

check: quick-check test

# Formatting, lint, types, import layers: everything that is quick.
quick-check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m slow

# On a machine with a GPU: what only it can test, and what is measured on it. DATA is as below, or an
# archive of it.
gpu: $(VENV)/.installed-dev
	@test -n "$(DATA)" || { echo "no DATA is given: make gpu DATA=path/to/cifar10-jpeg" >&2; exit 2; }
	$(BIN)/python -m pytest -m gpu tests
	$(BIN)/python benchmarks/gpu.py --data $(DATA)
	$(BIN)/python benchmarks/gpu.py --data $(DATA) --only study,loader

# The studies that are kept in studies/; DATA is a folder of CIFAR-10 (JPEG), named cifar10-jpeg.
CROSSED = studies/cifar10-crossed
SMALL = --data $(DATA) --image-size 32 --train-limit 10000
cifar10-crossed-study: $(VENV)/.installed
	$(BIN)/nextify study small epochs=12 $(SMALL) --experiment resolution-5 --margin 0.5 --looks 1 \
	  --probes default --file $(CROSSED)/cifar10-crossed.study --report $(CROSSED)/report

# Layer norm with fewer activations and norms, made and not made, from both kinds of initial weights.
LN = norm=layer norms=one activations=one
BN = norm=batch norms=every activations=every
TWICE = $(1) weight_init=trunc_normal $(1) weight_init=he_normal
cifar10-norm-init: $(VENV)/.installed
	$(BIN)/nextify compare epochs=12 $(call TWICE,resnet-small) $(call TWICE,resnet-small $(LN)) \
	  $(call TWICE,convnext-mini $(BN)) $(call TWICE,convnext-mini) $(SMALL) --seeds 3 \
	  --file $(CROSSED)/norm-init.study --report $(CROSSED)/norm-init-report

KEPT = studies/cifar10-factors
cifar10-study: $(VENV)/.installed
	$(BIN)/nextify study small --data $(DATA) --image-size 32 --train-limit 10000 \
	  --experiment resolution-5 --cross none --file $(KEPT)/cifar10-factors.study --report $(KEPT)/report

# The same factors at equal MACs, and both studies side by side.
cifar10-matched-study: $(VENV)/.installed
	$(BIN)/nextify study small --data $(DATA) --image-size 32 --train-limit 10000 \
	  --experiment resolution-5 --cross none --matched macs \
	  --file $(KEPT)/cifar10-factors-equal-macs.study \
	  --report runs/equal-macs-report
	$(BIN)/nextify attribute $(KEPT)/cifar10-factors.study \
	  $(KEPT)/cifar10-factors-equal-macs.study --output $(KEPT)/report-both

IMAGES = studies/cifar10-images
cifar10-images-study: $(VENV)/.installed
	$(BIN)/nextify compare epochs=5 crop=padded resnet-small learning_rate=0.001 convnext-mini \
	  swin-mini learning_rate=0.004 vit-mini --data $(DATA) --image-size 32 \
	  --images 1/16,1/4,1 --most-epochs 80 --matched macs --target 2.07M --seeds 3 \
	  --file $(IMAGES)/cifar10-images.study --report $(IMAGES)/report

# The runs by which its learning rates were chosen, on held-out images; three that were the best at
# the end of what was tried were tried further.
RATES = $(BIN)/nextify compare epochs=6 crop=padded --data $(DATA) --image-size 32 --hold-out \
  --images 5000 --most-epochs 24 --matched macs --target 2M --seeds 1 --file $(IMAGES)/rates.study \
  --report runs/rates-report
cifar10-images-rates: $(VENV)/.installed
	$(RATES) --rates 0.125,0.25,0.5,1 resnet-small convnext-mini swin-mini vit-mini vit-mini patch_size=8
	$(RATES) --rates 2 convnext-mini vit-mini
	$(RATES) --rates 0.0625 resnet-small

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
