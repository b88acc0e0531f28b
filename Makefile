# The two commands that matter: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
FUZZ_SECONDS ?= 10
export PYTHON VENV FUZZ_SECONDS

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

bin := $(VENV)/bin
pip := $(bin)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
wheel := target/wheels/.built
sources := Cargo.toml Cargo.lock pyproject.toml \
	$(shell find crates -type f -not -path '*/tests/*') \
	$(shell find python/nopickle -type f -not -path '*/__pycache__/*' -not -name '*.so')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.demo ## build nopickle, then save, audit, load and tamper with a model
	@$(bin)/python examples/quickstart.py

.PHONY: test
test: ## every check: the same as .ci/run
	@.ci/run

.PHONY: lint
lint: ## clippy, ruff, rustdoc, the list of dependencies
	@.ci/run fmt lint

.PHONY: fmt
fmt: $(VENV)/.tools ## write the sources in the project's format
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	$(bin)/ruff check --fix-only --quiet .
	$(bin)/ruff format --quiet .

.PHONY: python
python: ## the wheel and its tests: pytest, mypy, stubtest
	@.ci/run python

.PHONY: fuzz
fuzz: ## fuzz every reader; FUZZ_SECONDS=600 for ten minutes each
	@.ci/run fuzz

.PHONY: bench
bench: $(VENV)/.test ## time nopickle beside pickle, joblib, cloudpickle and skops (long)
	@$(bin)/python benches/persistence.py

.PHONY: coverage
coverage: $(VENV)/.test ## lines that the Python tests reach; with cargo-llvm-cov the Rust tests' too
	@$(bin)/python -m pytest --quiet --cov --cov-report=term-missing:skip-covered
	@if cargo llvm-cov --version >/dev/null 2>&1; then \
		cargo llvm-cov --locked --workspace --exclude nopickle-python; \
	else \
		echo "Rust: not measured; cargo install cargo-llvm-cov, then again"; \
	fi

.PHONY: clean
clean: ## remove everything that was built
	rm -rf $(VENV) target fuzz/target fuzz/corpus fuzz/artifacts .mypy_cache .pytest_cache .ruff_cache .coverage
	find python -name __pycache__ -type d -prune -exec rm -rf {} +

# The set-up. Each step leaves a stamp, so that a second run does only what has changed.

.PHONY: environment
environment: $(VENV)/.test ## make .venv with the wheel and all that the tests need

.PHONY: tools
tools: $(VENV)/.tools ## make .venv with ruff and maturin

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "the versions of constraints.txt need Python 3.11 or newer (nopickle itself 3.10); this is $$($(PYTHON) --version): make PYTHON=..." >&2; exit 1; }
	@.ci/step "make $(VENV) with $$($(PYTHON) --version)" bash -c '$(PYTHON) -m venv $(VENV) \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(VENV)/bin/python install pip; } \
		|| { echo "hint: on Debian, apt-get install python3-venv"; exit 1; }'
	@touch $@

$(VENV)/.maturin: $(VENV)/.made constraints.txt
	@.ci/step "install maturin" $(pip) maturin
	@touch $@

$(VENV)/.tools: $(VENV)/.maturin
	@.ci/step "install ruff" $(pip) ruff
	@touch $@

$(wheel): $(sources) | $(VENV)/.maturin
	@command -v cargo >/dev/null || { echo "nopickle is built with Rust; cargo is not on the PATH" >&2; exit 1; }
	@rm -rf target/wheels
	@.ci/step "build the wheel in release mode (minutes the first time)" \
		$(bin)/maturin build --release --locked --out target/wheels --interpreter $(bin)/python
	@touch $@

$(VENV)/.wheel: $(wheel)
	@.ci/step "install the wheel" \
		$(pip) --force-reinstall --no-deps $$(ls target/wheels/*.whl)
	@touch $@

$(VENV)/.demo: $(VENV)/.wheel constraints.txt
	@.ci/step "install numpy and scikit-learn" $(pip) "$$(ls target/wheels/*.whl)[sklearn]"
	@touch $@

$(VENV)/.test: $(VENV)/.wheel constraints.txt
	@.ci/step "install what the tests compare with" $(pip) "$$(ls target/wheels/*.whl)[test,bench]"
	@touch $@
