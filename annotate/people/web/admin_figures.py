"""Figures of the admin page: agreement, gold accuracy, findings. Pure functions."""

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from annotate.people.store.answer_arrays import gold_masks
from annotate.people.store.item import Item
from annotate.people.store.rule import ListenerRule, findings_of
from annotate.people.store.store_records import Annotator
from scoring.reliability.agreement_levels import TERNARY
from scoring.reliability.inter_annotator import inter_annotator


def agreement_by_language(votes: pa.Table, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return one row per language of pairs with at least two votes that count and are comparable."""
    language_of = {item.subject_id: item.language for item in items}
    counted = votes.filter(pc.and_(pc.is_null(votes["discarded"]), pc.is_in(votes["value"], pa.array(list(TERNARY)))))
    languages = pa.array([language_of.get(pair, "") for pair in counted["pair_id"].to_pylist()], pa.string())
    rows = []
    for language in sorted(set(languages.to_pylist())):
        part = counted.filter(pc.equal(languages, language))
        ternary, binary = inter_annotator(part), inter_annotator(part, binary=True)
        if ternary is not None:
            rows.append(
                {
                    "language": language or "-",
                    "pairs": ternary.pairs,
                    "ternary": f"{ternary.mean:.0%}",
                    "binary": "-" if binary is None else f"{binary.mean:.0%}",
                }
            )
    return rows


def annotator_rows(
    annotators: Sequence[Annotator], answers: pa.Table, rules: Mapping[str, ListenerRule]
) -> list[dict[str, Any]]:
    """Return the rows of the table of annotators, by number of answers."""
    gold: dict[str, list[bool]] = {}
    times: dict[str, list[float]] = {}
    is_gold, right = gold_masks(answers)
    for place, row in enumerate(answers.select(["annotator_id", "time_s"]).to_pylist()):
        if row["time_s"] is not None:  # unknown of imported votes
            times.setdefault(row["annotator_id"], []).append(row["time_s"])
        if is_gold[place]:
            gold.setdefault(row["annotator_id"], []).append(bool(right[place]))
    findings: dict[str, list[dict[str, Any]]] = {}
    for name, rule in rules.items():
        for finding in findings_of(name, rule, answers):
            kind = {True: "broken", False: "", None: "unknown"}[finding.broken]
            row = {"rule": name, "kind": kind, "evidence": _shown(finding.evidence)}
            findings.setdefault(finding.annotator_id, []).append(row)
    return [
        {
            "annotator_id": annotator.annotator_id,
            "name": annotator.name,
            "levels": annotator.levels,
            "state": annotator.state,
            "reason": annotator.reason,
            "evidence": _shown(annotator.evidence or {}),
            "pardoned": annotator.pardoned,
            "answered": annotator.answered,
            "is_imported": annotator.is_imported,
            "gold": _share(gold.get(annotator.annotator_id, [])),
            "time": f"{median(times[annotator.annotator_id]):.1f} s" if annotator.annotator_id in times else "-",
            "findings": findings.get(annotator.annotator_id, []),
        }
        for annotator in sorted(annotators, key=lambda annotator: (-annotator.answered, annotator.name))
    ]


def _share(right: Sequence[bool]) -> str:
    return f"{sum(right)} / {len(right)}" if right else "-"


def _shown(evidence: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in evidence.items()
    )
