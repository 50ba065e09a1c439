# Every target makes .venv from the hashed lock file when it is missing; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PARITY := .venv-parity
SOURCES := schemas prompts rewards transforms pipelines tests bench examples setup.py

.PHONY: .venv demo test check parity bench lock clean

demo: $(STAMP)
	$(BIN)/webscale-rl run --input 'examples/corpus/*.parquet' --output demo-output --overwrite

test: $(STAMP)
	$(BIN)/pytest

check: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/pytest tests/unit tests/property

# Compares the filters with datatrove's, on real text too when WEBSCALE_RL_PARITY_CORPUS names Parquet files.
parity: $(PARITY)/.complete
	$(PARITY)/bin/pytest tests/parity

bench: $(STAMP)
	$(BIN)/python -m bench.llm

.venv: $(STAMP)

# The stamp comes last, so that an installation that was cut off is done again. pip verifies the hash of every package;
# the build tools are in the lock too, so our own package builds offline. The lock is complete but for what
# pyproject.toml excludes, which pip would fetch without --no-deps.
$(STAMP): requirements.lock setup.py
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Apart from .venv, because two hundred megabytes of peers are of use to these tests alone.
$(PARITY)/.complete: requirements-parity.lock setup.py
	$(PYTHON) -m venv --clear $(PARITY)
	$(PARITY)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-parity.lock
	$(PARITY)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Needs uv; only for those who change a dependency.
lock:
	uv pip compile setup.py requirements-data.in --extra dev --universal --python-version 3.10 --generate-hashes --no-header \
		-o requirements.lock
	uv pip compile setup.py --extra parity --constraints requirements.lock --universal --python-version 3.10 --generate-hashes \
		--no-header -o requirements-parity.lock

clean:
	rm -rf $(VENV) $(PARITY) demo-output build dist *.egg-info
