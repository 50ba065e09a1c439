"""The card of a dataset: what somebody who finds it on a hub must know before using it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from schemas.config import STAGES
from transforms.exports.hf import model_name
from transforms.exports.licensing import license_of
from transforms.exports.readme import Made, configs, counts, origin, plain, shares, stated, table
from transforms.exports.target import Pair, Target

EXAMPLES: Final = 3
_SIZES: Final = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LARGER: Final = "10M<n<100M"
_ORDER: Final = {stage: number for number, stage in enumerate(STAGES)}


def card(target: Target, made: Made, examples: Sequence[Pair]) -> str:
    """Return the card, its header in YAML first."""
    wrote, limit = _RULES if _by_rules(made.manifests) else _MODELS
    header = yaml.safe_dump(_header(target, made), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{header}---\n\n# Questions and answers made from text",
        f"Short questions with answers that rules can check. {wrote} Below, Funnel says what each step"
        f" kept and rejected. {counts(made)}",
        f"```\n{target.launch('', made.rows)}\n```",
        f"## Schema\n\n{table(('column', 'what it has'), target.columns.items())}",
        f"## Examples\n\n{_examples(examples)}",
        f"## Funnel\n\n{_funnel(made.manifests)}",
        f"## Domains\n\n{shares(made.tally.domains, 'domain')}",
        f"## Types of answers\n\n{shares(made.tally.answer_types, 'type')}",
        f"## Sources and their licences\n\n{_sources(made)}",
        f"## Models and prompts\n\n{_models(made.manifests)}",
        f"## Evaluation sets\n\n{_contamination(made.manifests)}",
        f"## Limits\n\n- {limit}\n{_LIMITS}",
        f"## How it was made\n\n{origin(made)}",
    ]
    return "\n\n".join(parts) + "\n"


_MODELS: Final = (
    "They are for reinforcement learning; models wrote them from the documents of a corpus.",
    "Questions, answers and verdicts are models': some are wrong, or say what the models believe.",
)
_RULES: Final = (
    "The rules of the embedded engine wrote them from the documents of a corpus, without a model: they are for trying"
    " the pipeline, not for training.",
    "Questions, answers and verdicts are of simple rules: what these do not see is wrong.",
)
"""Who wrote the pairs, and the limit that follows from it."""
_LIMITS: Final = """\
- An answer is as true as its document, which may be out of date, or was never right. `evidence` says what it rests on.
- The documents are of the web or wherever the corpus is from: people, brands and opinions are named as they are there.
- Rules decide whether a response is right. They are made for English and short answers, and wrong now and then.
- Overlap with an evaluation set is found only where that set is listed above, and never all of it.
- The licences are those that the corpus states for its documents. What they allow with this is for you
  to find out."""


def _header(target: Target, made: Made) -> dict[str, Any]:
    size = next((name for below, name in _SIZES if made.tally.kept < below), _LARGER)
    languages = {code for manifest in made.manifests for code in _languages(manifest)}
    return {
        "license": license_of(made.tally.licenses),
        **({"language": sorted(languages)} if languages else {}),
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": [size],
        "tags": ["reinforcement-learning", "verifiable-rewards", "synthetic", "webscale-rl"],
        **configs(target, made.rows),
    }


def _languages(manifest: Mapping[str, Any]) -> Sequence[str]:
    language = (manifest["config"].get("filters") or {}).get("language") or {}
    return tuple(language.get("languages") or ())


def _examples(examples: Sequence[Pair]) -> str:
    rows = [tuple(stated(pair[name]) for name in ("question", "answer", "answer_type", "domain")) for pair in examples]
    return table(("question", "answer", "type", "domain"), rows)


def _funnel(manifests: Sequence[Mapping[str, Any]]) -> str:
    stages: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    units: dict[str, str] = {}
    for manifest in manifests:
        for stage in manifest["stages"]:
            name = stage["stage"]
            units[name] = stage["unit"]
            figures = {figure: stage[figure] for figure in ("in", "kept", "rejected", "errors", "pending")}
            stages.setdefault(name, Counter()).update(figures)
            reasons.setdefault(name, Counter()).update({**stage["reasons"], **stage["failures"]})
    rows = [
        (
            name,
            f"{units[name]}s",
            *(f"{figures[figure]:,}" for figure in ("in", "kept", "rejected", "errors", "pending")),
            ", ".join(f"{plain(reason)} {n:,}" for reason, n in reasons[name].most_common(3)),
        )
        for name, figures in sorted(stages.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER)))
    ]
    return table(("stage", "of", "in", "kept", "rejected", "errors", "pending", "most frequent reasons"), rows)


def _sources(made: Made) -> str:
    return f"{shares(made.tally.licenses, 'licence')}\n\n{shares(made.tally.datasets, 'corpus')}"


def _models(manifests: Sequence[Mapping[str, Any]]) -> str:
    asked = dict.fromkeys(each for manifest in manifests for each in _asked(manifest))
    rows = [(stage, plain(model), f"`{plain(prompt)}`") for stage, model, prompt in asked]
    return table(("stage", "model", "fingerprint of its prompt"), rows)


def _asked(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    models = manifest["config"].get("models") or {}
    for stage, prompt in manifest["prompts"].items():
        yield stage, model_name(str((models.get(stage) or {}).get("model", ""))), prompt


def _by_rules(manifests: Sequence[Mapping[str, Any]]) -> bool:
    asked = {model for manifest in manifests for _, model, _ in _asked(manifest)}
    return bool(asked) and all(model.startswith("embedded/") for model in asked)


def _contamination(manifests: Sequence[Mapping[str, Any]]) -> str:
    items: dict[str, int] = {}
    found: Counter[str] = Counter()
    actions = set()
    compared = 0
    for manifest in manifests:
        lines = manifest.get("contamination") or []
        compared += bool(lines)
        for line in lines:
            items[line["benchmark"]] = max(items.get(line["benchmark"], 0), line["items"])
            found[line["benchmark"]] += line["pairs"]
        if lines:
            actions.add((manifest["config"].get("decontaminate") or {}).get("on_contaminated", "unknown"))
    if not items:
        return "The questions were compared with no evaluation set: do so before you report a score."
    rows = [(plain(name), f"{items[name]:,}", f"{found[name]:,}") for name in sorted(items)]
    done = {("drop",): "were dropped", ("mark",): "are marked in `contamination`"}.get(
        tuple(sorted(actions)), "were dropped or are marked in `contamination`"
    )
    some = "" if compared == len(manifests) else f" in {compared:,} of {len(manifests):,} runs"
    words = f"The questions were compared with these{some}; those found to be theirs {done}."
    return f"{words}\n\n{table(('evaluation set', 'items', 'pairs found'), rows)}"
