"""`webscale-rl batch`: what it refuses, what it says of a batch in doubt, and that two do not work at once."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.options import UsageError
from pipelines.rundir import using
from tests.batch_runs import WAIT, batches_of, collect_all, one_line, quick_batches, run
from tests.model_server import Behaviour, ModelServer
from tests.support import prose_corpus, webscale_rl
from transforms.llm.batch import journal
from transforms.llm.batch.provider import Provider
from transforms.llm.requests import Kind, ModelError

SECRET = "sk-this-is-a-secret-0123456789"
DOCUMENTS = 5


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    with quick_batches():
        yield


def corpus(directory: Path) -> str:
    return prose_corpus(directory, DOCUMENTS)


@pytest.mark.parametrize("listing", [True, False], ids=["it is found", "the user finds it"])
def test_a_batch_of_which_nobody_heard_is_not_sent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, listing: bool
) -> None:
    output = tmp_path / "run"
    submit = ("batch", "submit", str(output))
    created = []
    create = Provider.create

    def unheard(self: Provider, file_id: str, name: str) -> str:
        created.append(create(self, file_id, name))
        raise ModelError(Kind.TRANSIENT, "the connection is gone")

    with ModelServer(Behaviour(batch_listing=listing)) as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", "--llm-mode", "batch") == 3
        with monkeypatch.context() as patch:
            patch.setattr(Provider, "create", unheard)
            capsys.readouterr()
            assert webscale_rl(*submit) == 3
        assert "the connection is gone" in capsys.readouterr().out
        (batch,) = batches_of(output)
        assert batch.status == "sending"
        if listing:
            assert webscale_rl(*submit) == 3
        else:
            assert webscale_rl(*submit) == 2
            said = one_line(capsys)
            assert batch.file_id is not None and batch.file_id in said
            assert f"webscale-rl batch submit {output} --sent {batch.name}=ID" in said
            assert webscale_rl(*submit, "--sent", f"{batch.name}={created[0]}") == 3
        collect_all(output)
        stats = server.stats()
    assert [each.figures["answered"] for each in batches_of(output)] == [DOCUMENTS]
    assert (stats["batches"], stats["requests"]) == (1, DOCUMENTS)


def test_what_the_user_says_of_a_batch_at_a_provider_is_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "run"
    submit = ("batch", "submit", str(output))
    with ModelServer(Behaviour(batch_seconds=600)) as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", "--llm-mode", "batch") == 3
        assert webscale_rl(*submit) == 3
        (batch,) = batches_of(output)
        for flag, value in (("--resend", "nobody"), ("--sent", "nobody=batch_1")):
            capsys.readouterr()
            assert webscale_rl(*submit, flag, value) == 2
            assert f"no batch nobody that was sent; such are {batch.name}" in one_line(capsys)
        for arguments in ((*submit, "--sent", f"{batch.name}=batch_lost"), submit, ("batch", "collect", str(output))):
            assert webscale_rl(*arguments) == 2
            said = one_line(capsys)
            assert f"batch {batch.name}: HTTP 404" in said
            assert f"webscale-rl batch submit {output} --resend {batch.name}` sends it again" in said
        assert webscale_rl(*submit, "--sent", f"{batch.name}={batch.batch_id}") == 3
        assert server.stats()["batches"] == 1
        assert webscale_rl(*submit, "--resend", batch.name) == 3
        assert server.stats()["batches"] == 2


def test_an_online_run_does_not_pay_for_what_a_batch_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, flags = tmp_path / "run", ("--until", "screen")
    with ModelServer(Behaviour(batch_seconds=0.1)) as server:
        assert run(corpus(tmp_path), output, server, *flags, "--llm-mode", "batch") == 3
        assert webscale_rl("batch", "submit", str(output)) == 3
        capsys.readouterr()
        assert run(corpus(tmp_path), output, server, *flags) == 2
        assert f"1 batches of {output} are under way" in one_line(capsys)
        collect_all(output)
        assert run(corpus(tmp_path), output, server, *flags) == 0
        assert server.stats()["repeated_bodies"] == 0


@pytest.fixture
def two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_REQUESTS", 3)


class FirstOne:
    """Says of an argument whether it is the one that came first."""

    def __init__(self) -> None:
        self._first: str | None = None

    def __call__(self, argument: str) -> bool:
        self._first = self._first or argument
        return argument == self._first


def failing(call: Callable[..., Any], where: Callable[[str], bool], kind: Kind) -> Callable[..., Any]:
    """Return a method of `Provider` that fails where its argument says so."""

    def method(self: Provider, argument: str, *more: str) -> Any:
        if where(argument):
            raise ModelError(kind, "it is in trouble")
        return call(self, argument, *more)

    return method


@pytest.mark.parametrize(("kind", "code"), [(Kind.TRANSIENT, 3), (Kind.UNKNOWN_MODEL, 2)])
@pytest.mark.usefixtures("two_batches")
def test_a_batch_in_trouble_does_not_keep_the_others_from_being_sent_and_collected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: Kind, code: int
) -> None:
    output = tmp_path / "run"
    submit, collect = ("batch", "submit", str(output)), ("batch", "collect", str(output))
    with ModelServer() as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", "--llm-mode", "batch") == 3
        with monkeypatch.context() as patch:
            patch.setattr(Provider, "upload", failing(Provider.upload, FirstOne(), kind))
            capsys.readouterr()
            assert webscale_rl(*submit) == code
            out = capsys.readouterr()
        one, other = batches_of(output)
        assert (one.status, other.status) == ("ready", "sent")
        assert f"{one.name}  openai/test  it is in trouble" in out.out
        assert (f"batch {one.name}: it is in trouble" in out.err) == (code == 2)
        assert webscale_rl(*submit) == 3
        one, other = batches_of(output)
        with monkeypatch.context() as patch:
            patch.setattr(Provider, "look", failing(Provider.look, lambda batch_id: batch_id == one.batch_id, kind))
            while batches_of(output)[1].under_way:
                assert webscale_rl(*collect) == code
        one, other = batches_of(output)
        assert (one.status, other.status) == ("sent", "collected")
        collect_all(output)
        assert server.stats()["repeated_bodies"] == 0


@pytest.mark.usefixtures("two_batches")
def test_of_many_batches_that_are_refused_each_has_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    with ModelServer() as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", "--llm-mode", "batch") == 3
        monkeypatch.setattr(Provider, "upload", failing(Provider.upload, lambda _: True, Kind.AUTH))
        capsys.readouterr()
        assert webscale_rl("batch", "submit", str(output)) == 2
        said = capsys.readouterr()
    one, other = batches_of(output)
    assert f"{one.name}  openai/test  it is in trouble\n{other.name}  openai/test  it is in trouble\n" in said.out
    assert f"webscale-rl: batch {one.name}: it is in trouble (and 1 more batches, see above)\n" in said.err


@pytest.mark.usefixtures("two_batches")
def test_a_submit_whose_status_is_not_heard_has_submitted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    with ModelServer() as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", "--llm-mode", "batch") == 3
        monkeypatch.setattr(Provider, "look", failing(Provider.look, lambda _: True, Kind.TRANSIENT))
        capsys.readouterr()
        assert webscale_rl("batch", "submit", str(output)) == 3
        said = capsys.readouterr()
    assert [each.status for each in batches_of(output)] == ["sent", "sent"]
    assert said.out.count("it is in trouble") == 2
    assert said.err == ""


@pytest.mark.usefixtures("two_batches")
def test_a_wait_takes_the_other_batches_to_their_end_and_then_tells_what_was_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    with ModelServer(Behaviour(batch_seconds=0.05)) as server:
        monkeypatch.setattr(Provider, "upload", failing(Provider.upload, FirstOne(), Kind.AUTH))
        assert run(corpus(tmp_path), output, server, "--until", "screen", *WAIT) == 2
        assert "it is in trouble" in one_line(capsys)
    assert [each.status for each in batches_of(output)] == ["ready", "collected"]


def test_a_refused_key_is_told_and_the_right_one_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}-wrong")
    with ModelServer(Behaviour(api_key=SECRET)) as server:
        assert run(corpus(tmp_path), output, server, "--until", "screen", *WAIT) == 2
        said = one_line(capsys)
        assert "HTTP 401" in said
        assert SECRET not in said
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        assert webscale_rl("batch", "submit", str(output)) == 3
        assert server.stats()["batches"] == 1
    for path in output.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_nothing_starts_where_a_process_is_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    flags = ("--model", "openai/test", "--api-base", "http://127.0.0.1:9/v1", "--until", "screen")
    arguments = ("run", "--input", corpus(tmp_path), "--output", str(output), *flags, "--llm-mode", "batch")
    assert webscale_rl(*arguments) == 3
    owner = {"run_id": "batch collect", "host": socket.gethostname(), "pid": os.getppid(), "started": "today"}
    in_use = output / "batch" / "in_use.json"
    in_use.write_text(json.dumps(owner))
    capsys.readouterr()
    before = sorted(path.name for path in output.rglob("*"))
    for given in (arguments, *(("batch", action, str(output)) for action in ("submit", "status", "collect"))):
        assert webscale_rl(*given) == 2
        said = one_line(capsys)
        assert f"{in_use}: run batch collect (process {os.getppid()}, since today) is at work there" in said
    assert sorted(path.name for path in output.rglob("*")) == before
    in_use.write_text(json.dumps(owner | {"pid": 2**22 + 1}))
    assert webscale_rl("batch", "status", str(output)) == 0, "that one is dead"
    assert not in_use.exists()


def test_who_signs_between_the_check_and_the_work_is_found(tmp_path: Path) -> None:
    path = tmp_path / "in_use.json"
    owner = {"run_id": "another", "host": socket.gethostname(), "pid": os.getppid(), "started": "today"}
    path.write_text(json.dumps(owner))
    with pytest.raises(UsageError, match="another"), using([str(path)], "mine"):
        pytest.fail("two at work")
    assert json.loads(path.read_text()) == owner


def test_a_batch_wants_a_run_in_batch_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    older = tmp_path / "older"
    (older / "batch").mkdir(parents=True)
    (older / "batch" / "run.json").write_text('{"colour": "red"}')
    for directory, words in ((tmp_path, "holds no run with --llm-mode batch"), (older, "written by another version")):
        for action in ("submit", "status", "collect"):
            assert webscale_rl("batch", action, str(directory)) == 2
            said = one_line(capsys)
            assert str(directory) in said
            assert words in said
    assert not (tmp_path / "batch").exists()


def test_a_round_that_dies_leaves_what_its_batches_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, flags = tmp_path / "run", ("--until", "screen", "--llm-mode", "batch", "--cache", "answers")
    (tmp_path / "elsewhere").mkdir()
    documents = corpus(tmp_path)
    monkeypatch.chdir(tmp_path)
    with ModelServer() as server:
        assert run(documents, output, server, *flags) == 3
        assert webscale_rl("batch", "submit", str(output)) == 3
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.submit.beam.Pipeline.run", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
            assert run(documents, output, server, *flags) not in (0, 3)
        assert not (output / "manifest.json").exists()
        monkeypatch.chdir(tmp_path / "elsewhere")
        collect_all(output)
        assert not (tmp_path / "elsewhere" / "answers").exists()
        monkeypatch.chdir(tmp_path)
        assert run(documents, output, server, *flags) == 0
        assert server.stats()["requests"] == DOCUMENTS


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ({"model": "openai/m", "extra_body": {"nested": [{"api_key": "hush-hush"}]}}, "extra_body.nested.0.api_key"),
        ({"model": "openai/m", "extra_body": {"note": SECRET}}, "extra_body.note"),
        ({"model": "openai/m", "api_base": "http://me:hush-hush@127.0.0.1:9/v1"}, "api_base"),
        ({"model": "openai/m", "api_base": "http://127.0.0.1:9/v1?key=hush-hush"}, "api_base"),
    ],
    ids=["by its name", "by its look", "in an address", "in a query"],
)
def test_a_secret_is_not_written_down(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: dict[str, Any], name: str
) -> None:
    config, output = tmp_path / "run.yaml", tmp_path / "run"
    config.write_text(json.dumps({"models": {"screen": model}}))
    flags = ("--config", str(config), "--until", "screen", "--llm-mode", "batch")
    assert webscale_rl("run", "--input", corpus(tmp_path), "--output", str(output), *flags) == 2
    said = one_line(capsys)
    assert f"models.screen.{name} holds a secret" in said
    assert "hush-hush" not in said
    assert SECRET not in said
    assert not (output / "batch").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--wait",), "--wait is for --llm-mode batch"),
        (("--model", "anthropic/claude", "--llm-mode", "batch"), "models.screen: anthropic/claude has no batch API"),
        (("--model", "openai/test", "--config", "KEY", "--llm-mode", "batch"), "variable NO_SUCH_KEY (its key)"),
    ],
    ids=["wait online", "no batch API", "no key"],
)
def test_what_cannot_work_is_told_before_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], words: str
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("models: {screen: {model: m, api_key_env: NO_SUCH_KEY}}\n")
    given = [str(config) if flag == "KEY" else flag for flag in flags]
    assert webscale_rl("run", "--input", corpus(tmp_path), "--output", str(tmp_path / "run"), *given) == 2
    assert words in one_line(capsys)
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the following arguments are required"),
        (("cancel", "run"), "invalid choice: 'cancel'"),
        (("collect", "run", "--files"), "--files is for batch submit"),
        (("status", "run", "--resend", "a"), "--resend is for batch submit"),
        (("submit", "run", "--files", "--resend", "a"), "--files and --resend exclude each other"),
        (("submit", "run", "--sent", "a"), "--sent a: write NAME=ID"),
        (("submit", "run", "--sent", "=b"), "--sent =b: write NAME=ID"),
        (("submit", "run", "--sent", "a="), "--sent a=: write NAME=ID"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str) -> None:
    assert webscale_rl("batch", *arguments) == 2
    assert words in one_line(capsys)
