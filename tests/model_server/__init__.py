"""A local server that speaks OpenAI's APIs of chat completions, files and batches, for tests and for measuring clients.

It answers each stage with a valid answer made from the request alone, misbehaves on request, and keeps the books: who
asked what, when, how many at once. In a thread: `with ModelServer(Behaviour(latency=0.1)) as server: server.base_url`.
As a process of its own, which outlives its clients: `python -m tests.model_server --port 0 --log calls.jsonl`; the
first line it prints is its port.
"""

from tests.model_server.behaviour import Behaviour
from tests.model_server.service import ModelServer

__all__ = ["Behaviour", "ModelServer"]
