"""The report stage: one page with everything in it, pictures included; nothing is fetched when it is opened.

report.html     the page
"""

from __future__ import annotations

import logging
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from configs.artifact import Artifact
from configs.schema.run import Run
from pretrain.forgetting import forgotten
from pretrain.rollbacks import read_undone
from tsugiki.report import pictures
from tsugiki.report.in_training import by_prompt
from tsugiki.report.results import PAGE, Finished, results
from tsugiki.report.stage import report_plan

_log = logging.getLogger(__name__)

_TEMPLATE = Path(__file__).with_name("report.html.j2")


def build_report(run: Run) -> Artifact:
    """Write the report.

    Raises:
        UserError: if a stage is not finished.
    """
    finished = Finished.open(run)
    builder = report_plan(run).build()
    if builder.complete is not None:
        _log.info("%s is complete", builder.dir)
        return builder.complete
    figures, metrics = results(run), finished.metrics
    drawn = {
        "funnel": pictures.funnel(figures["documents_in"], figures["dropped"], figures["documents_kept"]),
        "fertility": pictures.fertility(finished.fertility),
        "loss": pictures.loss(metrics, read_undone(finished.checkpoints.dir)),
        "held_out": pictures.held_out(metrics),
    }
    shares = forgotten(metrics, {name: source.language for name, source in run.corpus.sources.items()})
    if shares:
        # A source alone in its language has the same curve as the language; what a budget names is shown either way.
        budgets = run.pretrain.forgetting.budgets
        shown = [*run.corpus.sources, *(name for name in budgets if name not in run.corpus.sources)]
        by_step = {step: {name: one[name] for name in shown if name in one} for step, one in shares.items()}
        drawn["forgetting"] = pictures.forgetting(by_step, budgets)
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    page = template.render(
        r=figures, pictures=drawn, samples=finished.samples, in_training=by_prompt(finished.in_training)
    )
    with builder.file(PAGE) as out:
        out.write(page.encode())
    artifact = builder.finish({})
    _log.info("%s", artifact.path(PAGE))
    return artifact
