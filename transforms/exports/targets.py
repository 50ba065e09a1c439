"""The targets there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transforms.exports.hf import HF
from transforms.exports.nemo_gym import NEMO_GYM
from transforms.exports.openrlhf import OPENRLHF
from transforms.exports.target import Target
from transforms.exports.trl import TRL
from transforms.exports.verl import VERL

TARGETS: Final[Mapping[str, Target]] = {target.name: target for target in (VERL, TRL, OPENRLHF, NEMO_GYM, HF)}
"""By the name that `--to` gives."""
