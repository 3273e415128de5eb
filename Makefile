# Two commands for a newcomer: `make demo` and `make test`. Python 3.11+ and make are all they need.
PYTHON ?= python3
PORT ?= 8000
WORKERS ?= 2
BENCH ?=

SERVE := .venv
DEV := .venv-dev
PIP := -m pip install --disable-pip-version-check

.PHONY: demo test check unit format lock starter walkthrough bench screenshots clean

## demo: install what serving needs (no torch), index the example gallery, serve it
demo: $(SERVE)/.installed
	@$(SERVE)/bin/sightline demo --port $(PORT)

## test: install everything, run every check and every test
test: check
	OMP_NUM_THREADS=1 $(DEV)/bin/python -m pytest -n $(WORKERS) --dist loadgroup

## unit: the quick tests only
unit: $(DEV)/.installed
	OMP_NUM_THREADS=1 $(DEV)/bin/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow"

## check: formatting, lint, types, import layers
check: $(DEV)/.installed
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports

## format: let ruff format and mend what it can
format: $(DEV)/.installed
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

## starter: rebuild the starter model from packages (about half an hour on 2 cores)
starter: $(DEV)/.installed
	$(DEV)/bin/python -m training.starter.build --config configs/starter.toml --out data/starter-plain
	$(DEV)/bin/python -m training.starter.held_out_pairs --out data/starter-held-out
	$(DEV)/bin/sightline models calibrate data/starter-plain --pairs data/starter-held-out/pairs.jsonl \
		--background data/starter-held-out/background --queries text --out data/starter

## walkthrough: train, export, add, search and evaluate on the example pairs
walkthrough: $(DEV)/.installed
	PATH="$(CURDIR)/$(DEV)/bin:$$PATH" bash examples/walkthrough.sh

## bench: measure against every peer, which it installs into data/bench (15 GB; quick: BENCH=--quick)
bench: $(DEV)/.installed
	$(DEV)/bin/python -m benchmarks.bench $(BENCH)

## screenshots: pictures of the page in every state, into screenshots/ (needs chromium)
screenshots: $(DEV)/.installed
	$(DEV)/bin/python -m tests.browser.screenshots --out screenshots

## lock: resolve the versions in pyproject.toml again
lock: $(DEV)/.installed
	$(DEV)/bin/python $(PIP) --quiet uv
	$(foreach extra,serve train dev,$(DEV)/bin/uv pip compile pyproject.toml --extra $(extra) \
		--extra evaluation --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
		--custom-compile-command "make lock" -o requirements/$(extra).txt &&) true

## clean: remove environments, caches and the demo's data
clean:
	rm -rf $(SERVE) $(DEV) data build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(SERVE)/.installed: requirements/serve.txt pyproject.toml
	@echo "Installing what serving needs into $(SERVE) (about 120 MB, no torch) ..." >&2
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python $(PIP) --require-hashes -r requirements/serve.txt
	$(SERVE)/bin/python $(PIP) --no-deps -e .
	@touch $@

$(DEV)/.installed: requirements/dev.txt requirements/peers.txt pyproject.toml
	@echo "Installing everything into $(DEV) (on Linux about 5 GB: torch brings CUDA) ..." >&2
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) --require-hashes -r requirements/dev.txt
	$(DEV)/bin/python $(PIP) --no-deps --require-hashes -r requirements/peers.txt
	$(DEV)/bin/python $(PIP) --no-deps -e .
	@touch $@
