"""Which simulated listeners the rules of trust exclude: precision, and recall of each kind, over many crowds.

The crowds, 40 careful listeners and 16 others of five kinds, and how they answer are in ``tests/annotate/population.py``. The
baseline is the published rule of SpeechJudge alone (appendix B.1): fewer than 10 items are not rated, below 30 % agreement is
removed.
"""

from typing import Any

from annotate.people.store.trust import assess
from contracts import plugins
from scoring.reliability.agreement_levels import annotator_rates
from tests.annotate.answers import as_votes
from tests.annotate.population import KINDS, excluded_by_kind, listen

SEEDS = 50
RULES = ("gold_accuracy", "too_fast", "one_sided", "patterned", "peer_agreement")
PRECISION_TARGET = 0.98
CAREFUL_TARGET = 0.01  # a false exclusion costs an honest person's pay
RECALL_TARGETS = {kind: 0.98 for kind in KINDS if kind != "careful"} | {"careless": 0.85}


def run(seeds: int = SEEDS) -> list[dict[str, Any]]:
    """Assess so many crowds for each protocol."""
    return [row for protocol in ("binary", "cmos") for row in _protocol(protocol, seeds)]


def _protocol(protocol: Any, seeds: int) -> list[dict[str, Any]]:
    rules = {name: plugins.configure("listener_rule", name) for name in RULES}
    found = {kind: [0, 0, 0] for kind in KINDS}  # excluded, by the baseline, of
    for seed in range(seeds):
        crowd = listen(protocol, seed)
        ours = {one.annotator_id for one in assess(crowd.answers, rules) if one.verdict == "excluded"}
        rates = annotator_rates(as_votes(crowd.answers)).to_pylist()
        theirs = {row["annotator_id"] for row in rates if row["removed"]}
        plain = excluded_by_kind(crowd.kind_of, theirs)
        for kind, (hits, number) in excluded_by_kind(crowd.kind_of, ours).items():
            found[kind] = [old + new for old, new in zip(found[kind], (hits, plain[kind][0], number), strict=True)]
    what = f"listeners, {protocol} protocol, {seeds} crowds: "
    bad = [figures for kind, figures in found.items() if kind != "careful"]
    careful = found["careful"]
    precision, baseline = (_share(sum(row[n] for row in bad), sum(row[n] for row in bad) + careful[n]) for n in (0, 1))
    lines = [
        _line(f"{what}precision of exclusions", precision, baseline, PRECISION_TARGET, at_least=True),
        _line(
            f"{what}share of careful excluded", careful[0] / careful[2], careful[1] / careful[2], CAREFUL_TARGET, at_least=False
        ),
    ]
    for kind, target in RECALL_TARGETS.items():
        hits, plain_hits, number = found[kind]
        lines.append(_line(f"{what}recall of {kind}", hits / number, plain_hits / number, target, at_least=True))
    return lines


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _line(name: str, value: float | None, baseline: float | None, target: float, *, at_least: bool) -> dict[str, Any]:
    ok = value is not None and (value >= target if at_least else value <= target)
    return {"name": name, "value": value, "baseline": baseline, "ratio": None, "target": target, "ok": ok}
