"""The data card of a corpus: README.md in its directory, from the run file and the counts alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from configs.schema.corpus import Corpus, Source
from configs.schema.mask import Action, Mask

CARD = "README.md"
_DONE: Mapping[Action, str] = {
    "mask": "masked",
    "pseudonymise": "replaced by pseudonyms",
    "drop": "masked, and their documents dropped",
    "leave": "left as they were",
}


def data_card(name: str, settings: Corpus, stats: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    """Where the texts come from, under which licences, what was done with them and what is left."""
    return "\n".join(_lines(name, settings, stats, counts)) + "\n"


def _lines(name: str, settings: Corpus, stats: Mapping[str, Any], counts: Mapping[str, Any]) -> Iterator[str]:
    kept = sum(source["documents"] for source in counts["kept"].values())
    held_out = sum(source["documents"] for source in counts["held_out"].values())
    yield f"# Corpus of the run {name}"
    yield ""
    yield f"{counts['documents_in']:,} documents in, {kept:,} kept to train on, {held_out:,} held out to measure with."
    yield "Tokens are estimated from the characters. `manifest.json` has the digests of every file."
    yield from ("", "## Sources", "")
    yield from _sources(settings, stats)
    yield from ("", "## Scripts and languages of what is kept", "")
    yield from _scripts(stats)
    yield from ("", "## What was done", "")
    yield from _work(settings, counts)
    yield from ("", "## What was dropped", "")
    for reason, count in sorted(counts["dropped"].items(), key=lambda item: (-item[1], item[0])):
        yield f"- {count:,} {reason}"
    if not counts["dropped"]:
        yield "Nothing."


def _sources(settings: Corpus, stats: Mapping[str, Any]) -> Iterator[str]:
    yield "| source | origin | licence | language | access | retention | documents | characters | tokens, about |"
    yield "|---|---|---|---|---|---|---:|---:|---:|"
    for source, one in settings.sources.items():
        found = list(stats.get(source, {}).values())
        total = [sum(part[key] for part in found) for key in ("documents", "characters", "estimated_tokens")]
        declared = (_origin(one), one.license or "not declared", one.language, one.access or "-", one.retention or "-")
        yield f"| {' | '.join(map(_cell, (source, *declared)))} | {' | '.join(f'{number:,}' for number in total)} |"


def _scripts(stats: Mapping[str, Any]) -> Iterator[str]:
    for source, of_license in stats.items():
        for license_, one in of_license.items():
            shares = sorted(one["scripts"].items(), key=lambda item: (-item[1], item[0]))
            scripts = ", ".join(f"{script} {share:.1%}" for script, share in shares if share >= 0.01)
            languages = ", ".join(f"{language} {share:.1%}" for language, share in one["languages"].items())
            declared = _cell(license_ or "licence not declared")
            kept = f"{languages}; {scripts}" if languages else "nothing kept"
            yield f"- {_cell(source)} ({declared}): {kept}"


def _work(settings: Corpus, counts: Mapping[str, Any]) -> Iterator[str]:
    yield f"- Normalised and filtered by the preset `{settings.preset}`{_own_rules(settings)}."
    yield f"- Personal data: {_personal(settings.mask, counts['masked'])}."
    dedup = settings.dedup
    yield (
        f"- Deduplicated: exact copies, and near-copies from a Jaccard similarity of {dedup.threshold:g} of character "
        f"5-grams on ({dedup.bands} bands of {dedup.rows})."
    )
    yield f"- Lines that many documents share: {counts['lines_removed']:,} removed."
    sets = ", ".join(settings.decontaminate.sets) or "no evaluation set"
    yield f"- Decontaminated against {sets}{' and the held-out split' if settings.decontaminate.held_out else ''}."


def _own_rules(settings: Corpus) -> str:
    lists = [*settings.word_lists, *settings.host_lists]
    parts = [f"other bounds for {', '.join(settings.rules)}"] if settings.rules else []
    parts += [f"lists of one's own: {', '.join(lists)}"] if lists else []
    return f", with {' and '.join(parts)}" if parts else ""


def _personal(settings: Mask, found: Mapping[str, int]) -> str:
    kinds_of: dict[Action, list[str]] = {action: [] for action in _DONE}
    for kind, action in settings.actions().items():
        kinds_of[action].append(kind if action == "leave" else f"{kind} {found.get(kind, 0):,}")
    return "; ".join(f"{_DONE[action]}: {', '.join(kinds)}" for action, kinds in kinds_of.items() if kinds)


def _origin(source: Source) -> str:
    if source.path is not None:
        return source.path
    return ":".join(part for part in (source.dataset, source.dataset_config, source.split) if part)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
