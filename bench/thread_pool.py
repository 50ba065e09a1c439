"""Our run beside the reference's shape, a pool of threads that call and wait: `python -m bench.thread_pool`.

The published system (arXiv 2510.06499, its `main.py`) submits every document to a pool of threads. A thread takes one
document through all its calls, one after the other, with OpenAI's blocking client (one for each stage), and the main
thread appends a line of JSON for each pair as documents end. That is what the pool does here, as many threads as the
limit (the published default is 10), with requests that are ours to the byte, so both ask the same server the same. It
has our prompts to render, but none of what else a run does: it reads a corpus of one file whole, filters and compares
no document, keeps no answer that a second run could replay, takes an answer's JSON for what it should be, writes no
table. Of retries it has the client's own, and no limit but its threads; no call fails here.

Both are commands of their own. Processor time is that of the whole command less that over one document, by the
requests made more; the clock runs from the server's first request to its last answer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

import openai
import pyarrow.parquet as pq

from bench.llm import MODEL, Load, cpu_ms, load, run_command, run_flags
from prompts import PromptSet, load_prompts
from schemas.answers import Stage, json_schema
from schemas.config import ModelSettings
from schemas.records import pair_id, text_sha256

Ask = Callable[..., Any]
"""(stage, the variables of its prompt by name) -> the answer's fields."""

_STAGES: Final[tuple[Stage, ...]] = ("screen", "classify", "generate", "judge")


def asking(prompts: PromptSet, url: str) -> Ask:
    """Return what asks the server, with a blocking client for each stage."""
    clients = {stage: openai.OpenAI(api_key="no-key", base_url=f"{url}/v1") for stage in _STAGES}

    def ask(stage: Stage, **variables: str) -> Any:
        schema = {"name": stage, "schema": json_schema(stage), "strict": True}
        body: dict[str, Any] = {
            "model": MODEL.rpartition("/")[2],
            "messages": prompts.render(stage, variables),
            "response_format": {"type": "json_schema", "json_schema": schema},
            "max_tokens": ModelSettings().max_tokens,
        }
        reply = clients[stage].chat.completions.create(**body)
        return json.loads(reply.choices[0].message.content or "")

    return ask


def pairs_of(doc_id: str, text: str, prompts: PromptSet, ask: Ask) -> list[dict[str, Any]]:
    """Take a document through its calls, one after the other; return the pairs that the judge keeps."""
    sha256 = text_sha256(text)
    about = {"document": text, "fence": sha256[:16]}
    if not ask("screen", **about)["qualified"]:
        return []
    read = ask("classify", **about)
    pairs = []
    for persona in read["personas"]:
        exemplars = prompts.few_shots(read["domain"], seed=pair_id(doc_id, sha256, persona))
        made = ask("generate", **about, domain=read["domain"], persona=persona, exemplars=exemplars)
        pair = {"persona": persona, **{name: made[name] for name in ("question", "answer", "evidence")}}
        verdict = ask("judge", **about, **pair)
        if verdict["has_context"] and verdict["answer_correct"] and not verdict["leaks_answer"]:
            pairs.append({"original_material": text, "domain": read["domain"], **pair})
    return pairs


def run_pool(corpus: str, output: str, url: str, *, threads: int) -> None:
    """Make the pairs of a corpus; their lines are appended to the file `output`, each as its document ends."""
    documents = pq.read_table(corpus, columns=["id", "text"]).to_pylist()
    prompts = load_prompts()
    ask = asking(prompts, url)
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(pairs_of, row["id"], row["text"], prompts, ask) for row in documents]
        for future in as_completed(futures):
            for pair in future.result():
                with Path(output).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(pair) + "\n")


def words(name: str, concurrency: int, start: Load, whole: Load) -> str:
    """Return a contender's line."""
    found = whole.stats
    mean = found["mean_in_flight_middle"]
    return (
        f"{name:12} {found['requests']:8} {mean:9.1f} {mean / concurrency:7.3f} {found['wall_s']:8.1f}"
        f" {found['requests'] / found['wall_s']:10.1f} {cpu_ms(whole, start):8.2f} {start.usage.cpu:7.1f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=64, help="our limit, and the threads of the pool")
    parser.add_argument("--latency", default="lognormal:0.3:0.5", help="seconds, or lognormal:MEDIAN:SIGMA")
    parser.add_argument("--pool", nargs=3, metavar=("CORPUS", "OUTPUT", "URL"), help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.pool:
        run_pool(*flags.pool, threads=flags.concurrency)
        return

    def ours(corpus: str, output: str, url: str) -> list[str]:
        return run_command(run_flags(corpus, output, url, flags.concurrency))

    def pool(*places: str) -> list[str]:
        own = [sys.executable, "-m", "bench.thread_pool"]
        return [*own, "--concurrency", str(flags.concurrency), "--pool", *places]

    print(f"limit {flags.concurrency}, latency {flags.latency} s\n")
    print("             requests in flight   share wall, s requests/s  CPU, ms start, s", flush=True)
    found = {}
    for name, command in (("webscale-rl", ours), ("thread pool", pool)):
        start, whole = load(command, 1, "0"), load(command, flags.documents, flags.latency)
        found[name] = whole, cpu_ms(whole, start)
        print(words(name, flags.concurrency, start, whole), flush=True)
    (mine, my_ms), (its, its_ms) = found.values()
    walls, shares = (its.stats[what] / mine.stats[what] for what in ("wall_s", "mean_in_flight_middle"))
    print(f"thread pool / webscale-rl: wall {walls:.2f}, in flight {shares:.3f}, processor time {its_ms / my_ms:.2f}")


if __name__ == "__main__":
    main()
