"""What the audit found, as a line, as the section of the card, and as rows for the report."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flows.run.pipeline import Build
from scoring.audit.association import ALPHA
from scoring.audit.features import unmeasured
from storage.card_facts import Statistics

Row = Mapping[str, Any]

COLUMNS: Final = ("what", "told by", "split", "items", "differing", "effect", "95 % interval", "chance up to", "found")
WORDS: Final = 3

_TARGETS: Final = {"chosen": "which clip is chosen", "shown_as_a": "which clip is shown as A"}
_OF_PAIRS: Final = (
    "For a feature, the effect is the probability that the chosen clip has more of it, a pair without a difference counting "
    "half: 50 % tells nothing. For not_listening it is how often a linear classifier over the differences of all measured "
    "nuisances is right about pairs of leakage groups that it was not fitted on. "
)
_OF_CLIPS: Final = "The effect is Spearman's rank correlation; what goes along with a score need not be a defect. "
_RATE: Final = (
    f"Found means: further than chance goes, at a false-alarm rate of {100 * ALPHA:g} % for all features and splits together, "
    f"and of {100 * ALPHA:g} % for each classifier, by exchanging the labels of whole leakage groups. Systems, real or "
    "synthetic speech and corruption are origins: their clips may differ in quality, so that a label goes along with them; a "
    "model can learn to know them instead of to listen. Lines of single splits stand here where something was found in them."
)


def in_one_line(rows: Sequence[Row]) -> str:
    """Return what was found over all splits, in one line."""
    whole = [row for row in rows if row["split"] is None]
    told = [f"{_named(row)} ({_effect(row)})" for row in whole if row["is_found"] and row["family"] == "nuisance"]
    origins = [f"{_named(row)} ({_effect(row)})" for row in whole if row["is_found"] and row["family"] == "origin"]
    looked_at = len({row["told_by"] for row in whole if row["family"] == "nuisance"})
    parts = [f"shortcuts: {', '.join(told)}" if told else f"no shortcut in {looked_at} features"]
    parts += [f"origins that tell: {', '.join(origins)}"] if origins else []
    parts += [
        f"without listening {_TARGETS[row['target']]} is told in {_effect(row)} (chance up to {_number(row, 'bound')})"
        for row in whole
        if row["family"] == "reader"
    ]
    return "; ".join(parts)


def _named(row: Row) -> str:
    return str(row["told_by"]) if row["measure"] != "correlation" else f"{row['target']} with {row['told_by']}"


def _number(row: Row, name: str) -> str:
    return f"{row[name]:.2f}" if row["measure"] == "correlation" else f"{100 * row[name]:.1f} %"


def _effect(row: Row) -> str:
    return _number(row, "effect")


def shown(rows: Sequence[Row]) -> list[list[object]]:
    """Return the rows as they are shown, under ``COLUMNS``."""
    return [
        [
            _TARGETS.get(row["target"], row["target"]),
            row["told_by"],
            row["split"] or "all",
            row["items"],
            row["differing"],
            _effect(row),
            f"{_number(row, 'low')} to {_number(row, 'high')}",
            _number(row, "bound"),
            "yes" if row["is_found"] else "no",
        ]
        for row in rows
    ]


def explained(build: Build, rows: Sequence[Row]) -> str:
    """Return how to read the rows, and what was not looked at."""
    missing = unmeasured(tuple(metric.name for metric in build.recipe.metrics))
    lacks = ", ".join(f"{value} (metric {metric})" for value, metric in missing.items())
    effect = _OF_CLIPS if all(row["measure"] == "correlation" for row in rows) else _OF_PAIRS
    return effect + _RATE + (f" Not looked at, as the recipe does not measure it: {lacks}." if lacks else "")


def card_table(build: Build) -> Statistics | None:
    """Return the section of the card; None where nothing was looked at."""
    rows = build.tables.read("audit").to_pylist()
    if not rows:
        return None
    on_card = [row for row in rows if row["split"] is None or row["is_found"]]
    return Statistics(
        title="Shortcuts",
        columns=COLUMNS,
        words=WORDS,
        rows=shown(on_card),
        note=f"{explained(build, rows)} {in_one_line(rows)}",
    )
