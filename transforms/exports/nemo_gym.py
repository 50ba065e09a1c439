"""Rows as NeMo Gym reads them, and the resources server that verifies what a policy answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from transforms.exports.licensing import license_of
from transforms.exports.prompt import messages
from transforms.exports.target import DATA_SOURCE, SIDES, Pair, Place, Target

_SERVER: Final = f"resources_servers/{DATA_SOURCE}/"
_AGENT: Final = f"{DATA_SOURCE}_simple_agent"
_CONFIG: Final = f"{_SERVER}configs/{DATA_SOURCE}.yaml"
_MODEL: Final = "responses_api_models/vllm_model/configs/vllm_model.yaml"

_LICENSES: Final = {
    "apache-2.0": "Apache 2.0",
    "mit": "MIT",
    "cc-by-4.0": "Creative Commons Attribution 4.0 International",
    "cc-by-sa-4.0": "Creative Commons Attribution-ShareAlike 4.0 International",
}
"""As NeMo Gym's closed list (`DatasetConfig.license`) has them, by the names of hubs."""
_UNLISTED: Final = "TBD"
_MOST: Final = 10

_APP: Final = '''"""The resources server of NeMo Gym that rewards answers by `reward.py`, beside this file."""

import asyncio

from nemo_gym.base_resources_server import (
    BaseResourcesServerConfig,
    BaseRunRequest,
    BaseVerifyRequest,
    BaseVerifyResponse,
    SimpleResourcesServer,
)
from pydantic import ConfigDict

from reward import reward


class RunRequest(BaseRunRequest):
    model_config = ConfigDict(extra="allow")

    question: str
    expected_answer: str
    answer_type: str
    aliases: list[str] = []


class VerifyRequest(RunRequest, BaseVerifyRequest):
    pass


class VerifyResponse(BaseVerifyResponse):
    model_config = ConfigDict(extra="allow")


class Server(SimpleResourcesServer):
    config: BaseResourcesServerConfig

    async def verify(self, body: VerifyRequest) -> VerifyResponse:
        said = [item.text for output in body.response.output if output.type == "message"
                for item in output.content if item.type == "output_text"]
        value = await asyncio.to_thread(
            reward, body.question, body.expected_answer, "".join(said), body.answer_type, body.aliases
        )
        return VerifyResponse(**body.model_dump(), reward=value)


if __name__ == "__main__":
    Server.run_webserver()
'''


def _row(pair: Pair, place: Place) -> dict[str, Any]:
    return {
        "responses_create_params": {"input": messages(pair["question"])},
        "question": pair["question"],
        "expected_answer": pair["answer"],
        "answer_type": pair["answer_type"],
        "aliases": pair["aliases"],
        "domain": pair["domain"],
        "id": pair["id"],
    }


def _config(rows: Mapping[str, int], licenses: Mapping[str | None, int]) -> str:
    # A dataset is one file there; those of one type are put together. They must have a licence of a closed list.
    license = _LICENSES.get(license_of(licenses), _UNLISTED)
    datasets = [
        {"name": f"{side}_{number}", "type": side, "jsonl_fpath": path, "license": license}
        for side in SIDES
        for number, path in enumerate(NEMO_GYM.files(side, rows[side]))
    ]
    server = {
        "entrypoint": "app.py",
        "domain": "knowledge",
        "verified": False,
        "description": "Short questions whose answers are checked by rules",
        "value": "Improve knowledge and reasoning on questions made from web text",
    }
    agent = {
        "entrypoint": "app.py",
        "resources_server": {"type": "resources_servers", "name": DATA_SOURCE},
        "model_server": {"type": "responses_api_models", "name": "policy_model"},
        "datasets": datasets,
    }
    config = {
        DATA_SOURCE: {"resources_servers": {DATA_SOURCE: server}},
        _AGENT: {"responses_api_agents": {"simple_agent": agent}},
    }
    note = _stated(licenses) if license == _UNLISTED else ""
    return note + yaml.safe_dump(config, sort_keys=False, width=1000)


def _stated(licenses: Mapping[str | None, int]) -> str:
    """Return a comment that says what stands behind a licence that is not in the list."""
    names = sorted(licenses, key=lambda name: (-licenses[name], name or ""))
    # What strangers wrote stays within its comment.
    listed = ", ".join("not stated" if name is None else ascii(name[:100]) for name in names[:_MOST])
    more = f" and {len(names) - _MOST:,} others" if len(names) > _MOST else ""
    return (
        f"# license: {_UNLISTED}, since NeMo Gym's list has no one name for what the corpus states of its documents:"
        f" {listed}{more}\n"
    )


def _beside(rows: Mapping[str, int], licenses: Mapping[str | None, int]) -> Mapping[str, str]:
    return {
        f"{_SERVER}app.py": _APP,
        _CONFIG: _config(rows, licenses),
        # As the servers have it that NeMo Gym brings: its own checkout, where there is one.
        f"{_SERVER}requirements.txt": "-e nemo-gym[dev] @ ../../\n",
    }


def _launch(directory: str, rows: Mapping[str, int]) -> str:
    first = next(path for side in reversed(SIDES) for path in NEMO_GYM.files(side, rows[side]))
    return f"""cd {directory}    # NeMo Gym looks for servers and data where it is started, then where it is installed
# env.yaml names the policy: policy_base_url, policy_api_key, policy_model_name
config_paths="{_CONFIG},{_MODEL}"
gym dataset collate "+config_paths=[${{config_paths}}]" +output_dirpath=collated +mode=train_preparation
gym env start "+config_paths=[${{config_paths}}]"
gym eval run --no-serve --agent {_AGENT} --limit 5 --num-repeats 1 \\
  --input {first} --output rollouts.jsonl    # in another terminal: whether it all works"""


NEMO_GYM: Final = Target(
    name="nemo-gym",
    title="NeMo Gym",
    version="0.4.0",
    schema=None,
    row=_row,
    columns={
        "responses_create_params": "`input`, a chat of one message: the question, and how to mark the answer",
        "question, expected_answer, answer_type, aliases": "what the server verifies by; `expected_answer` is a string",
        "domain, id": "for metrics of yours",
    },
    launch=_launch,
    beside=_beside,
    within=_SERVER,
)
