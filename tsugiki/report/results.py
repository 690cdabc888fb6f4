"""The results of a run as data: what `tsugiki report --json` prints and the page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from configs.artifact import Artifact
from configs.atomic_file import read_json
from configs.schema.run import Run
from configs.stage import refuse_unfinished
from pretrain.metrics_file import SAMPLES, read_metrics
from pretrain.stage import export_plan
from tsugiki.report.stage import report_dir, report_plan

PAGE = "report.html"


@dataclass(frozen=True)
class Finished:
    """The artifacts of a run that went all the way."""

    corpus: Artifact
    tokenizer: Artifact
    tokens: Artifact
    checkpoints: Artifact
    model: Artifact

    @classmethod
    def open(cls, run: Run) -> Finished:
        """Open them all.

        Raises:
            UserError: if a stage is not finished.
        """
        refuse_unfinished(export_plan(run))
        return cls(**{name: Artifact.open(path) for name, path in report_plan(run).upstream.items()})

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every line that training wrote."""
        return read_metrics(self.checkpoints.dir)

    @property
    def in_training(self) -> list[dict[str, Any]]:
        """Every line of samples that training wrote."""
        return read_metrics(self.checkpoints.dir, SAMPLES)

    @property
    def fertility(self) -> list[dict[str, Any]]:
        """Characters per token by number of new tokens."""
        points: list[dict[str, Any]] = read_json(self.tokenizer.path("fertility.json"))
        return points

    @property
    def samples(self) -> list[dict[str, str]]:
        """Continuations before and after."""
        samples: list[dict[str, str]] = read_json(self.model.path("samples.json"))
        return samples


def results(run: Run) -> dict[str, Any]:
    """The figures of a finished run.

    Raises:
        UserError: if a stage is not finished.
    """
    finished = Finished.open(run)
    corpus, tokenizer, trained = finished.corpus.counts, finished.tokenizer.counts, finished.checkpoints.counts
    # In the order of the run file, which names what matters first.
    languages = list(dict.fromkeys(source.language for source in run.corpus.sources.values()))
    measured = trained["bits_per_character"]
    return {
        "run": run.run.name,
        "base": run.pretrain.base,
        "documents_in": corpus["documents_in"],
        "documents_kept": sum(source["documents"] for source in corpus["kept"].values()),
        "dropped": corpus["dropped"],
        "quarantined": corpus["quarantined"],
        "masked": corpus["masked"],
        "new_tokens": tokenizer["new_tokens"],
        "new_tokens_reason": tokenizer.get("choice", {}).get("reason"),
        "chars_per_token": tokenizer["chars_per_token"][languages[0]],
        "chars_per_token_by_language": {language: tokenizer["chars_per_token"][language] for language in languages},
        "tokens_trained": trained["tokens_trained"],
        "steps": trained["steps"],
        "skipped_steps": trained["skipped_steps"],
        "rollbacks": trained.get("rollbacks", []),
        "epochs": trained["epochs"],
        "final_loss_nats": trained["final_loss_nats"],
        "bits_per_character": {language: measured[language] for language in languages if language in measured},
        "order": trained["order"],
        "logits_max_abs_diff": finished.model.counts["gate"]["logits_max_abs_diff"],
        "logits_max_abs": finished.model.counts["gate"]["logits_max_abs"],
        "gate_passed": not finished.model.counts["gate"]["failures"],
        "hf_dir": str(finished.model.dir / "hf"),
        "report_html": str(report_dir(run) / PAGE),
    }
