"""The corpus's verbs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs import cli
from corpus.cli import verbs

TEXTS = {
    "a.txt": "定量ポンプの点検では、最初に電源を切る。次に弁を閉じる。それから、圧力が下がったことを圧力計で確かめる。",
    "b.txt": "流量センサーの校正は、年に一度行う。結果は品質保証課が保管する。期限を過ぎたものは、使ってはならない。",
    "c.txt": "短い。",
    "d.txt": "",
}
AUDIT = """\
         4  documents in
        -1  quarantined
        -1  too_short
         2  kept

put aside:
  manuals: d.txt: empty
"""


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A run over four small files, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("manuals").mkdir()
    for name, text in TEXTS.items():
        Path("manuals", name).write_text(text)
    Path("run.yaml").write_text(
        "run: {name: t, dir: runs/t, seed: 1}\n"
        "corpus: {sources: {manuals: {path: manuals, language: ja}}, held_out: {share: 0}, workers: 1}\n"
        "pretrain: {base: none, stages: {all: {tokens: 1, mixture: {manuals: 1}}}}\n"
    )
    packages = [logging.getLogger(name) for name in ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")]
    before = [(one.handlers, one.level, one.propagate) for one in packages]
    yield "run.yaml"
    for one, (handlers, level, propagate) in zip(packages, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def run(*arguments: str) -> int:
    """The exit status of `tsugiki corpus …`."""
    return cli.main("tsugiki corpus", verbs, arguments)


def test_a_corpus_is_built_and_audited(run_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", run_file) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "corpus.build  4 documents in, 2 kept; runs/t/corpus\n" in told.err
    assert run("audit", run_file) == 0
    assert capsys.readouterr() == (AUDIT, "")


def test_an_audit_for_machines_is_the_counts(run_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("build", run_file)
    capsys.readouterr()
    assert run("audit", run_file, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["kept"] == {"manuals": {"bytes": 309, "characters": 103, "documents": 2}}
    assert counts["dropped"] == {"quarantined": 1, "too_short": 1}


def test_dropped_documents_are_shown_for_a_reason(run_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("build", run_file)
    capsys.readouterr()
    assert run("audit", run_file, "--reason", "too_short") == 0
    header, text = capsys.readouterr().out.splitlines()
    assert header.endswith("  manuals: c.txt at 0")
    assert text == "短い。"
    assert run("audit", run_file, "--reason", "too_short", "--show", "0") == 0
    assert capsys.readouterr().out == ""
    assert run("audit", run_file, "--reason", "too_shrot") == 1
    assert capsys.readouterr().err == (
        "tsugiki: --reason: nothing was dropped as 'too_shrot'; there are quarantined, too_short\n"
    )


def test_an_audit_needs_a_finished_corpus(run_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", run_file) == 1
    assert capsys.readouterr().err == (
        "tsugiki: runs/t/corpus: not finished; run `tsugiki run` or the stage 'corpus' first\n"
    )


def test_what_the_run_file_lacks_is_told(run_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("build", run_file, "--set", "corpus.sources.manuals.path=none") == 1
    assert capsys.readouterr().err == (
        f"tsugiki: corpus.sources.manuals.path: no such file or folder: 'none' (relative paths start at {Path.cwd()})\n"
    )
    assert run("build", run_file, "--set", "corpus.dedupe={}") == 2
    assert "corpus.dedupe: unknown key; did you mean 'dedup'?" in capsys.readouterr().err
