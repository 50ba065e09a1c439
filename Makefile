# Every target makes .venv from the hashed lock file when it is missing; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
SOURCES := schemas prompts rewards transforms pipelines tests bench examples setup.py

.PHONY: .venv demo test check bench lock clean

demo: $(STAMP)
	$(BIN)/webscale-rl run --input 'examples/corpus/*.parquet' --output demo-output --overwrite

test: $(STAMP)
	$(BIN)/pytest

check: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/pytest tests/unit tests/property

bench: $(STAMP)
	$(BIN)/python -m bench.llm

.venv: $(STAMP)

# The stamp comes last, so that an installation that was cut off is done again. pip verifies the hash of every package;
# the build tools are in the lock too, so our own package builds offline.
$(STAMP): requirements.lock setup.py
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Needs uv; only for those who change a dependency.
lock:
	uv pip compile setup.py --extra dev --universal --python-version 3.10 --generate-hashes --no-header -o requirements.lock

clean:
	rm -rf $(VENV) demo-output build dist *.egg-info
