"""Retuning shows what a build by the other rules would decide."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from configs import cli
from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.preset import RuleChange, load_preset
from configs.schema.run import Run
from corpus.build import build_corpus
from corpus.cli import verbs
from corpus.retune import Retuned, retune, retuned_lines

LENIENT = (
    "description: own\nsteps: [invisible, unwrap, punctuation, nfkc, space]\n"
    "rules: [{measure: characters, min: 2, reason: too_short, source: s}]\n"
)


def changed(run: Run, **keys: object) -> Run:
    """The run with other keys of the corpus."""
    return run.model_copy(update={"corpus": run.corpus.model_copy(update=keys)})


@pytest.fixture(scope="module")
def run(mixed: Path, run_of: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run over the mixed sources."""
    return run_of(mixed, tmp_path_factory.mktemp("retune"), "manuals", "mail", "english")


@pytest.fixture(scope="module")
def corpus(run: Run) -> Artifact:
    """Its corpus."""
    return build_corpus(run)


def by_rules(corpus: Artifact) -> Counter[str]:
    """Documents dropped by rules of the preset."""
    reasons = {rule.reason for rule in load_preset("inhouse").rules}
    return Counter({word: count for word, count in corpus.counts["dropped"].items() if word in reasons})


def test_the_same_rules_change_nothing(run: Run, corpus: Artifact) -> None:
    found = retune(corpus, run, run, 3)
    assert all(was == would for was, would in found.counts)
    assert {was: count for (was, _), count in found.counts.items() if was} == by_rules(corpus)
    assert sum(found.counts.values()) == corpus.counts["documents_in"] - corpus.counts["dropped"]["quarantined"]
    assert (found.examples, found.measured_again) == ([], 0)


def test_it_shows_what_a_build_by_the_other_rules_decides(run: Run, corpus: Artifact, tmp_path: Path) -> None:
    wanted = changed(run, rules={"too_short": RuleChange(min=400), "no_sentences": RuleChange(min=3.8)})
    found = retune(corpus, run, wanted, 2)
    assert found.measured_again == 0
    after = Counter({would: 0 for _, would in found.counts})
    for (_, would), count in found.counts.items():
        after[would] += count
    again = build_corpus(wanted.model_copy(update={"run": run.run.model_copy(update={"dir": tmp_path})}))
    del after[None]
    assert after == by_rules(again)
    assert after["too_short"] > 1
    shown = Counter(one.change for one in found.examples)
    assert shown[(None, "too_short")] == 2
    assert all(one.value < 400 for one in found.examples if one.change[1] == "too_short")
    lines = list(retuned_lines(found, corpus))
    assert lines[0].split() == ["before", "after", "change"]
    assert any("kept -> too_short" in line for line in lines)


def test_a_measure_that_was_not_kept_is_taken_from_the_texts(run: Run, corpus: Artifact, tmp_path: Path) -> None:
    preset = tmp_path / "own.yaml"
    rule = "{measure: zlib_ratio, min: 0.5, reason: too_repetitive, source: s}"
    preset.write_text(LENIENT.replace("}]", f"}}, {rule}]"))
    found = retune(corpus, run, changed(run, preset=str(preset)), 1)
    documents = sum(found.counts.values())
    assert found.measured_again == documents
    assert 0 < sum(count for (_, would), count in found.counts.items() if would == "too_repetitive") < documents
    assert f"{documents} documents were measured again" in "\n".join(retuned_lines(found, corpus))


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        pytest.param(
            {"preset": "swallow-v1"}, "corpus.preset: swallow-v1 normalises otherwise than inhouse", id="steps"
        ),
        pytest.param({"held_out": None}, "corpus.held_out: retune changes rules only", id="another key"),
        pytest.param(
            {"rules": {"too_long": RuleChange(max=1)}},
            "corpus.rules: the preset drops nothing as 'too_long'",
            id="reason",
        ),
        pytest.param(
            {"rules": {"too_short": RuleChange(max=1)}},
            "corpus.rules.too_short.max: the preset's rule has no max",
            id="side",
        ),
    ],
)
def test_more_than_rules_cannot_be_retuned(run: Run, corpus: Artifact, keys: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        retune(corpus, run, changed(run, **keys), 0)
    assert str(caught.value).startswith(complaint)


def test_a_rule_can_be_switched_off(run: Run, corpus: Artifact) -> None:
    found = retune(corpus, run, changed(run, rules={"too_short": RuleChange(off=True)}), 1)
    assert found.counts[("too_short", None)] + found.counts[("too_short", "no_sentences")] == 1
    assert found.counts[("too_short", "too_short")] == 0


def test_examples_are_the_first_of_every_change() -> None:
    one, other = Retuned(), Retuned()
    one.merge(other, 3)
    assert one == Retuned()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("manuals").mkdir()
    Path("manuals/a.txt").write_text(
        "定量ポンプの点検では、最初に電源を切る。次に弁を閉じる。それから、圧力計を見て確かめる。"
    )
    Path("manuals/b.txt").write_text("短い。")
    Path("run.yaml").write_text(
        "run: {name: t, dir: runs/t, seed: 1}\n"
        "corpus: {sources: {manuals: {path: manuals, language: ja}}, held_out: {share: 0}, workers: 1}\n"
        "pretrain: {base: none, stages: {all: {tokens: 1, mixture: {manuals: 1}}}}\n"
    )
    assert cli.main("tsugiki corpus", verbs, ["build", "run.yaml"]) == 0
    capsys.readouterr()
    arguments = ["retune", "run.yaml", "--set", "corpus.rules.too_short.min=3"]
    assert cli.main("tsugiki corpus", verbs, arguments) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].split() == ["1", "0", "-1", "too_short"]
    assert told[2].split() == ["1", "2", "+1", "pass", "the", "rules"]
    assert (told[3].split("  ")[1:], told[4]) == (["too_short -> kept", "(3)"], "短い。")
    assert cli.main("tsugiki corpus", verbs, [*arguments, "--json"]) == 0
    assert {"before": "too_short", "after": None, "documents": 1} in json.loads(capsys.readouterr().out)["changes"]
