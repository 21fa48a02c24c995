"""The listening test in status and report. Listeners are named by pseudonyms; their names stay in the store."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.store_records import Annotator, ListeningProgress
from contracts.joins import attach
from flows.listening.critique_evidence import acceptance
from flows.listening.evidence import counted_votes
from flows.listening.pay import is_spent, money, spent_line
from flows.listening.store import RATED, VOTED, known_store
from flows.recipe.listening_checks import paid_answers, require, terms_of, words_of
from flows.recipe.listening_section import Listening
from flows.run.marks import finished
from flows.run.pipeline import Build
from flows.stages.listeners import unused_votes
from flows.stages.metrics import current_facts
from flows.stages.splits import splits_table
from flows.stages.verification import STAGE as VERIFICATION
from flows.stages.verification import quotas_of
from scoring.reliability.agreement_levels import TERNARY, annotator_rates
from scoring.reliability.inter_annotator import inter_annotator
from scoring.reliability.measures import mean_interval
from splits.assign import OVER_QUOTA

_WER_EDGES: Final = (0.0, 0.05, 0.1, 0.2)


@dataclass(frozen=True, kw_only=True)
class _Test:
    """Current state of the store."""

    progress: ListeningProgress
    annotators: Sequence[Annotator]


def _test_of(build: Build) -> _Test | None:
    with build.noted("listening test"):
        if (known := known_store(build)) is not None:
            with known as store:
                return _Test(progress=store.progress(), annotators=store.annotators())
    return None


def listening_rows(build: Build) -> list[dict[str, object]]:
    """Return the lines of ``status`` about the listening test: items, votes, listeners, and each excluded listener."""
    test = _test_of(build)
    if test is None:
        return []
    section = require(build.recipe)
    progress, unit = test.progress, "ratings" if section.rated() else "votes"
    gone = [one for one in test.annotators if one.state in {"failed", "excluded"}]
    rows = [
        _line("listening items", "items", progress.items, progress.complete, {}),
        _line(f"listening {unit}", unit, progress.wanted, progress.votes, {}, state="closed" if progress.closed else ""),
        _line(
            "listening listeners",
            "listeners",
            len(test.annotators),
            len(test.annotators) - len(gone),
            dict(Counter(_why(one) for one in gone)),
        ),
    ]
    if progress.gold:
        rows.append(_line("listening gold items", "items", progress.gold, progress.gold, {}))
    if section.site.pay_per_item is not None:
        rows.append(_pay_line(section, progress))
    if progress.labels:
        rows.append(_line("listening labels", "aggregated labels", progress.labels, progress.labels, {}))
    if left_out := sum(progress.discarded.values()):
        rows.append(_line(f"listening {unit} that do not count", unit, left_out, 0, dict(progress.discarded)))
    with build.noted("listening test"):
        if (unused := unused_votes(build)) is not None:
            rows.append(_line(f"listening {unit} not used", unit, None, None, {}, state=unused))
    rows += [_quota_line(row) for row in _verification(build) if row["quota"] is not None]
    return rows + [_line(f"listener {one.annotator_id}", "", None, None, {}, state=_why(one)) for one in gone]


def _pay_line(section: Listening, progress: ListeningProgress) -> dict[str, object]:
    """Return the line of ``status`` about pay: all answers, and how many the budget pays for."""
    most, state = paid_answers(section), f"{money(section, progress.answers)} so far"
    if is_spent(section, progress):
        state = spent_line(section, progress)
    return _line("listening pay", "answers", most, progress.answers, {}, state=state)


def _quota_line(row: dict[str, Any]) -> dict[str, object]:
    """Return the line of ``status`` about a split's quota; if it is not met, with the setting that would meet it."""
    quota, confirmed = row["quota"], row["confirmed"]
    state = ""
    if confirmed < quota:
        # The share confirmed so far is the estimate for the rest, rounded up to one decimal place.
        factor = math.ceil(10 * row["asked"] / confirmed) / 10 if confirmed else None
        state = (
            f"quota not met: set listening.oversample to {factor:g} or more, if there are pairs" if factor else "none confirmed"
        )
    return _line(f"listening quota of {row['split']}", "pairs", quota, min(quota, confirmed), {}, state=state)


def _why(annotator: Annotator) -> str:
    return f"{annotator.state}: {annotator.reason}" if annotator.reason else annotator.state


def _line(
    stage: str, unit: str, rows_in: int | None, rows_out: int | None, dropped: dict[str, int], *, state: str = ""
) -> dict[str, object]:
    missing = None if rows_in is None or rows_out is None else max(0, rows_in - rows_out - sum(dropped.values()))
    return {
        "stage": stage,
        "state": state,
        "unit": unit,
        "in": rows_in,
        "out": rows_out,
        "missing": missing,
        "failed": {},
        "dropped": dropped,
        "spent_usd": None,
    }


def listeners_content(build: Build) -> dict[str, Any] | None:
    """Return the content of the report's section about listeners; None if there is no listening test."""
    test = _test_of(build)
    if test is None:
        return None
    section = require(build.recipe)
    shown = {"protocol": section.protocol.name, "unit": "ratings" if section.rated() else "votes", "progress": test.progress}
    if section.rated():
        ratings = build.tables.read(RATED)
        return shown | {
            "opinions": opinions(ratings, build.tables.read("samples", ["sample_id", "system"])),
            "annotators": _annotators(test.annotators, ratings, {}),
        }
    votes = build.tables.read(VOTED)
    if section.of == "critiques":
        return shown | {"acceptance": acceptance(build), "annotators": _annotators(test.annotators, votes, {})}
    sided = counted_votes(build)
    of_people = pc.invert(pc.fill_null(sided["aggregated"], False))
    sided = sided.filter(pc.and_(of_people, pc.is_in(sided["value"], value_set=pa.array(list(TERNARY)))))
    prompts = attach(
        build.tables.read("pairs"), "prompt_id", build.tables.read("prompts"), "prompt_id", _same("style", "language")
    )
    sided = attach(sided, "pair_id", prompts, "pair_id", _same("style", "language", "sample_a", "sample_b"))
    rates = {row["annotator_id"]: row["rate"] for row in annotator_rates(sided).to_pylist()}
    return shown | {
        "has_ties": "T" in words_of(terms_of(build.recipe).protocol),
        "agreement": _agreement(sided),
        "annotators": _annotators(test.annotators, votes, rates),
        "accuracy": _accuracy(build, sided),
        "verification": _verification(build),
    }


def opinions(ratings: pa.Table, samples: pa.Table) -> list[dict[str, Any]]:
    """Return the mean opinion score of every system on every scale, the best first.

    Args:
        ratings: table of schema RATINGS; discarded ones do not count.
        samples: columns sample_id, system.

    Returns:
        Rows of system, scale, clips (how many were rated) and score: the mean over ratings, its number of ratings and its
        95 % interval, as if every rating were independent of the others.
    """
    system_of = dict(zip(samples["sample_id"].to_pylist(), samples["system"].to_pylist(), strict=True))
    given: dict[tuple[str, str], list[float]] = {}
    clips: dict[tuple[str, str], set[str]] = {}
    for row in ratings.filter(pc.is_null(ratings["discarded"])).to_pylist():
        for scale, score in row["scores"]:
            key = (scale, system_of.get(row["sample_id"], "unknown"))
            given.setdefault(key, []).append(score)
            clips.setdefault(key, set()).add(row["sample_id"])
    scales = list(dict.fromkeys(scale for scale, _ in given))
    rows = [
        {
            "scale": scale,
            "system": system,
            "clips": len(clips[scale, system]),
            "score": mean_interval(np.array(scores), nothing=""),
        }
        for (scale, system), scores in given.items()
    ]
    return sorted(rows, key=lambda row: (scales.index(row["scale"]), -row["score"].value, row["system"]))


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _agreement(votes: pa.Table) -> list[dict[str, Any]]:
    """Return inter-annotator agreement, ternary and without ties, in all and by style and language (SpeechJudge, Table 5)."""
    cells = sorted(set(zip(votes["style"].to_pylist(), votes["language"].to_pylist(), strict=True)), key=str)
    parts = {"all": votes}
    for style, language in cells if len(cells) > 1 else []:
        same = pc.and_(pc.equal(votes["style"], style), pc.equal(votes["language"], language))
        parts[f"{style}, {language}"] = votes.filter(same)
    return [
        {"what": what, "ternary": inter_annotator(part), "binary": inter_annotator(part, binary=True)}
        for what, part in parts.items()
    ]


def _annotators(annotators: Sequence[Annotator], votes: pa.Table, rates: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return one row per listener, including those of imported votes; the source of aggregated labels is no listener."""
    if "aggregated" in votes.column_names:
        made = pc.fill_null(votes["aggregated"], False)
        whose = set(votes.filter(made)["annotator_id"].to_pylist())
        annotators, votes = [one for one in annotators if one.annotator_id not in whose], votes.filter(pc.invert(made))
    cast = Counter(votes["annotator_id"].to_pylist())
    counted = Counter(votes.filter(pc.is_null(votes["discarded"]))["annotator_id"].to_pylist())
    known = {one.annotator_id: one for one in annotators}
    return [
        {
            "annotator_id": who,
            "state": _why(known[who]) if who in known else "not in the store",
            "votes": cast[who],
            "counted": counted[who],
            "rate": rates.get(who),
        }
        for who in sorted(known.keys() | cast.keys())
    ]


def _accuracy(build: Build, votes: pa.Table) -> list[dict[str, Any]]:
    """Return, by the word error rate of clips, how often listeners found them accurate (SpeechJudge, Fig. 10)."""
    facts = current_facts(build)
    if "wer" not in facts.column_names:
        return []
    wer = dict(zip(facts["sample_id"].to_pylist(), facts["wer"].to_pylist(), strict=True))
    accurate_by_bin: dict[int, list[bool]] = {}
    for vote in votes.to_pylist():
        for side in ("a", "b"):
            error, accurate = wer.get(vote[f"sample_{side}"]), vote[f"text_accurate_{side}"]
            if error is not None and accurate is not None:
                accurate_by_bin.setdefault(sum(error > edge for edge in _WER_EDGES), []).append(accurate)
    bounds = ("0", *(f"up to {edge:.0%}" for edge in _WER_EDGES[1:]), f"above {_WER_EDGES[-1]:.0%}")
    return [
        {"wer": bounds[place], "votes": len(given), "accurate": sum(given) / len(given)}
        for place, given in sorted(accurate_by_bin.items())
    ]


def _verification(build: Build) -> list[dict[str, Any]]:
    """Return, by split, how many pairs were asked about, confirmed, and dropped by reason; nothing while votes are missing."""
    section = require(build.recipe)
    done = None
    with build.noted("stage verification"):
        done = VERIFICATION.active(build) and finished(VERIFICATION, build)
    if not done:
        return []
    drops = {row["row_id"]: row["reason"] for row in build.tables.read("drops@verification").to_pylist()}
    assigned, quotas = build.tables.read(splits_table(build)).to_pylist(), quotas_of(build)
    rows = []
    for split in section.splits:
        pairs = [row["item_id"] for row in assigned if row["split"] == split]
        reasons = Counter(drops[pair] for pair in pairs if pair in drops)
        confirmed = len(pairs) - reasons.total() + reasons[OVER_QUOTA]
        row = {"split": split, "quota": quotas.get(split), "asked": len(pairs), "confirmed": confirmed}
        rows.append(row | {"reasons": dict(reasons)})
    return rows
