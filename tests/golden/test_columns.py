"""The columns that others build on, pinned: a change here is a change for every reader of our files."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.answers import ANSWERS, json_schema
from schemas.records import DocumentVerdicts, arrow_schema
from transforms.state import SCHEMAS
from transforms.write import OUTPUTS

GOLDEN = Path(__file__).parent
COLUMNS = {
    **{name: OUTPUTS[name] for name in ("qa", "rejected", "errors", "pending", "superseded")},
    "webscale_rl": arrow_schema(DocumentVerdicts),
    **{f"state_{name}": schema for name, schema in SCHEMAS.items()},
}


def shape(kind: pa.DataType) -> object:
    if pa.types.is_struct(kind):
        return {field.name: shape(field.type) for field in kind}
    if pa.types.is_list(kind):
        return [shape(kind.value_type)]
    return str(kind)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    schema = COLUMNS[name]
    found = {field.name: shape(field.type) for field in schema}
    assert json.dumps(found, indent=1) + "\n" == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    assert all(field.nullable for field in schema)


@pytest.mark.parametrize("stage", ANSWERS)
def test_answers(stage: str) -> None:
    schema = json_schema(stage)  # type: ignore[arg-type]
    assert json.dumps(schema, indent=1) + "\n" == (GOLDEN / f"answer_{stage}.json").read_text(encoding="utf-8")
