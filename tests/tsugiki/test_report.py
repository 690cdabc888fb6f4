"""The results of a run: on the screen, for machines, as a picture, as a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.pretrain.poison import GUARDS, poisoned
from tsugiki.__main__ import main
from tsugiki.report import pictures
from tsugiki.report.in_training import by_prompt


def test_a_run_ends_with_one_screen_of_results(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(finished / "run.yaml")]) == 0
    screen = capsys.readouterr().out
    for words in (
        "28 in, 22 kept",
        "held_out 6",
        "with 20 new tokens",
        "bits per character, ja",
        "bits per character, en",
        "12 steps",
        "passed, logits of transformers' reload within",
        "ポンプの",
        "before",
        "after",
        "model/hf",
        "report.html",
    ):
        assert words in screen
    assert len(screen.splitlines()) <= 24


def test_the_report_for_machines_has_every_figure_and_they_add_up(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(finished / "run.yaml"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["documents_in"] == figures["documents_kept"] + sum(figures["dropped"].values()) == 28
    assert set(figures["chars_per_token"]) == {"base", "extended"}
    assert {"base", "trained"} <= set(figures["bits_per_character"]["ja"])
    assert {"base", "trained"} <= set(figures["bits_per_character"]["en"])
    assert figures["new_tokens"] == 20
    assert figures["tokens_trained"] > 0
    assert 0 <= figures["logits_max_abs_diff"] < 1e-3
    assert (Path(figures["hf_dir"]) / "model.safetensors").exists()
    assert Path(figures["report_html"]).exists()


def test_the_page_needs_nothing_from_elsewhere(finished: Path) -> None:
    page = (finished / "run" / "report" / "report.html").read_text()
    assert page.count("<svg") == 5
    assert not re.search(r"<(?:script|link|img|iframe)\b|@import|url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\"'\s<>)]+", page))
    assert {address for address in addresses if "w3.org" not in address and "matplotlib.org" not in address} <= {
        "http://purl.org/dc/elements/1.1/",
        "http://creativecommons.org/ns#",
        "http://purl.org/dc/dcmitype/StillImage",
    }


def test_the_page_shows_what_was_forgotten_with_the_budgets(finished: Path) -> None:
    shares = {0: {"english": 0.0, "en": 0.0}, 6: {"english": 0.02, "en": 0.02}}
    drawn = {name: pictures.forgetting(shares, budgets) for name, budgets in (("none", {}), ("en", {"en": 0.01}))}
    assert drawn["none"] == pictures.forgetting(shares, {})
    assert drawn["none"] != drawn["en"]
    page = (finished / "run" / "report" / "report.html").read_text()
    assert "% over the untouched base" in page
    assert "inhouse" in page


def test_the_screen_can_be_drawn_and_fetches_nothing(finished: Path, tmp_path: Path) -> None:
    assert main(["report", str(finished / "run.yaml"), "--svg", str(tmp_path / "screen.svg")]) == 0
    drawn = (tmp_path / "screen.svg").read_text()
    assert drawn.startswith("<svg")
    assert "url(http" not in drawn
    assert "28&#160;in,&#160;22&#160;kept" in drawn


def test_the_page_shows_what_the_model_wrote_step_by_step(finished: Path) -> None:
    page = (finished / "run" / "report" / "report.html").read_text()
    table = page[page.index("<h2>Samples</h2>") : page.index("<h2>Model</h2>")]
    assert re.findall(r"<th>(.*?)</th>", table) == ["ポンプの", "The pump"]
    assert re.findall(r'<tr><td class="n">(.*?)</td>', table) == ["0 (base)", "0", "6", "12"]
    assert table.count("<small>") == 8
    assert len(re.findall(r"\d %", table)) == 40


def test_a_prompt_that_came_later_leaves_gaps() -> None:
    lines = [
        {"step": step, "model": "trained", "samples": [{"prompt": prompt, "text": str(step)} for prompt in prompts]}
        for step, prompts in ((0, "a"), (2, "ba"))
    ]
    table = by_prompt(lines)
    assert table["prompts"] == ["a", "b"]
    assert [[one and one["text"] for one in row["samples"]] for row in table["rows"]] == [["0", None], ["2", "2"]]


@pytest.mark.slow
def test_steps_that_were_not_taken_are_shown_everywhere(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guards = GUARDS.replace("rollback_after: 3", "rollback_after: 2")
    command = [str(finished / "run.yaml"), "--set", f"run.dir={tmp_path}/run", "--set", guards]
    with poisoned([1, 5, 6]):
        assert main(["run", *command]) == 0
    screen = capsys.readouterr().out
    assert "skipped by guards" in screen
    assert "steps 5 to 7 left out, 6 to 7 were skipped" in screen
    assert main(["report", *command, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["skipped_steps"] == 1
    assert figures["rollbacks"] == [{"steps": [5, 7], "skipped_from": 6}]
    page = (tmp_path / "run" / "report" / "report.html").read_text()
    assert "before anything changed: 1 of 12 steps" in page
    assert "<td>5 to 7</td><td>steps 6 to 7 were skipped one after the other</td>" in page
    card = (tmp_path / "run" / "model" / "hf" / "README.md").read_text()
    assert (
        "\n1 of the 12 steps were skipped, since their loss or gradient was out of bounds; they changed nothing.\n"
        in card
    )
    assert "\nSteps 5 to 7 were left out with their samples: training went wrong in them (steps 6 to 7 " in card
    assert "left out with their samples" not in (finished / "run" / "model" / "hf" / "README.md").read_text()


def test_what_is_left_out_is_drawn_and_only_then() -> None:
    steps = [{"kind": "step", "tokens": 256 * k, "loss_nats": 5.0 - k / 9} for k in (1, 2, 5, 6)]
    undone = [{"kind": "step", "tokens": 256 * k, "loss_nats": 6.0} for k in (3, 4)]
    plain = pictures.loss(steps)
    assert pictures.loss(steps, []) == plain
    assert pictures.loss([*steps, {"kind": "rollback", "tokens": [512, 1024]}]) != plain
    assert pictures.loss(steps, undone) != plain
