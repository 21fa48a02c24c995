"""What the audit found, as a line, and as a table for the card and the report."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flows.run.pipeline import Build
from scoring.audit.association import ALPHA
from scoring.audit.features import unmeasured
from storage.card_facts import Statistics

Row = Mapping[str, Any]

COLUMNS: Final = ("what", "told by", "split", "items", "differing", "effect", "95 % interval", "chance alone", "found")
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
    f"and of {100 * ALPHA:g} % for each classifier, by exchanging the labels of whole leakage groups (of all pairs of a clip, "
    "where groups are few). Systems, real or synthetic speech and corruption are origins: their clips may differ in quality: "
    "a label may go along with them, and a model can learn to know them instead of to listen. "
)
_SHORT: Final = "Lines of single splits stand here where something was found in them. "
_MOST_NAMED: Final = 6


def in_one_line(rows: Sequence[Row]) -> str:
    """Return what was found over all splits, in one line."""
    whole = [row for row in rows if row["split"] is None]
    told, origins = (_found(whole, family) for family in ("nuisance", "origin"))
    nuisances = [row for row in whole if row["family"] == "nuisance"]
    nothing = "no shortcut" if any(map(_could_be_found, nuisances)) else "too few independent items to find a shortcut"
    parts = [f"shortcuts: {told}" if told else f"{nothing} in {len({row['told_by'] for row in nuisances})} features"]
    parts += [f"origins that tell: {origins}"] if origins else []
    parts += [
        f"without listening {_TARGETS[row['target']]} is told in {_effect(row)} (by chance up to {_number(row, row['bound'])})"
        for row in whole
        if row["family"] == "reader"
    ]
    if rows[0]["measure"] != "correlation" and not any(row["family"] == "reader" for row in rows):
        parts.append("too few leakage groups for a classifier that does not listen")
    return "; ".join(parts)


def _found(rows: Sequence[Row], family: str) -> str:
    """Return what was found of a family, the plainest first, and how many more."""
    found = [row for row in rows if row["is_found"] and row["family"] == family]
    found.sort(key=lambda row: -abs(row["effect"] - (row["measure"] != "correlation") / 2))
    more = [f"{len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
    return ", ".join([f"{_named(row)} ({_effect(row)})" for row in found[:_MOST_NAMED]] + more)


def _could_be_found(row: Row) -> bool:
    """Tell whether chance alone stays below what the items can add up to, which it does not for few items."""
    largest = 1.0 if row["measure"] == "correlation" else (1 + row["differing"] / max(row["items"], 1)) / 2
    return bool(row["bound"] < largest)


def _named(row: Row) -> str:
    return str(row["told_by"]) if row["measure"] != "correlation" else f"{row['target']} with {row['told_by']}"


def _number(row: Row, value: float) -> str:
    return f"{value:.2f}" if row["measure"] == "correlation" else f"{100 * value:.1f} %"


def _other_side(row: Row) -> float:
    """Return the effect that goes as far as the bound in the other direction."""
    return float(-row["bound"] if row["measure"] == "correlation" else 1 - row["bound"])


def _effect(row: Row) -> str:
    return _number(row, row["effect"])


def _shown(rows: Sequence[Row]) -> list[list[object]]:
    """Return the rows as they are shown, under ``COLUMNS``."""
    return [
        [
            _TARGETS.get(row["target"], row["target"]),
            row["told_by"],
            row["split"] or "all",
            row["items"],
            row["differing"],
            _effect(row),
            f"{_number(row, row['low'])} to {_number(row, row['high'])}",
            f"{_number(row, _other_side(row))} to {_number(row, row['bound'])}",
            "yes" if row["is_found"] else "no",
        ]
        for row in rows
    ]


def _explained(build: Build, rows: Sequence[Row]) -> str:
    """Return how to read the rows, and what was not looked at."""
    missing = unmeasured(tuple(metric.name for metric in build.recipe.metrics))
    lacks = ", ".join(f"{value} (metric {metric})" for value, metric in missing.items())
    effect = _OF_CLIPS if all(row["measure"] == "correlation" for row in rows) else _OF_PAIRS
    return effect + _RATE + (f"Not looked at, as the recipe does not measure it: {lacks}. " if lacks else "")


def shortcut_tables(build: Build, *, in_full: bool) -> list[Statistics]:
    """Return the findings as a table; none where nothing was looked at.

    Args:
        build: the build.
        in_full: whether to show each feature in each split; else only where something was found.
    """
    rows = build.tables.read("audit").to_pylist()
    if not rows:
        return []
    seen = [row for row in rows if in_full or row["split"] is None or row["is_found"]]
    line = in_one_line(rows)
    note = f"{_explained(build, rows)}{'' if in_full else _SHORT}In short: {line}."
    return [Statistics(title="Shortcuts", columns=COLUMNS, words=WORDS, rows=_shown(seen), note=note)]
