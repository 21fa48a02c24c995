"""Tables about people's votes on pairs, for the report and the card (SpeechJudge, sections 3.1 and 3.2, appendix B)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import attach
from contracts.languages import with_setting
from contracts.schemas import VOTES
from filters.comparisons import votes_by_pair
from flows.listening.evidence import counted_votes
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.pipeline import Build
from flows.stages.metrics import current_facts
from flows.views.subset_funnel import COLUMNS, FunnelRow, funnel_of
from scoring.reliability.agreement_levels import LEVELS, TERNARY, annotator_rates, counted_by_pair, levels, majorities
from scoring.reliability.dawid_skene import dawid_skene
from scoring.reliability.inter_annotator import InterAnnotatorAgreement, agreement_table, alpha, rate_histogram
from scoring.reliability.text_accuracy import accuracy_by_wer
from storage.card_facts import Statistics

_Build = Build[PreferenceRecipe]

_OF_PROMPT: Final = ("style", "language", "setting", "reference_utterance_id")
_OF_PAIR: Final = ("sample_a", "sample_b", *_OF_PROMPT)
_LABELS: Final = ("a", "b", "tie")


def report_content(build: _Build) -> dict[str, Any]:
    """Return the content of the report's section; without tables as long as nobody has voted."""
    votes = _votes(build)
    has_subsets = bool(build.recipe.subsets and votes.num_rows)
    return {
        "funnel": funnel_of(build) if has_subsets else [],
        "levels": COLUMNS,
        "tables": _tables(build, votes),
    }


def card_tables(build: _Build) -> list[Statistics]:
    """Return the tables of the card of a data set with subsets: the funnel, and those of the report."""
    return [_of_subsets(funnel_of(build)), *_tables(build, _votes(build))] if build.recipe.subsets else []


def _tables(build: _Build, votes: pa.Table) -> list[Statistics]:
    if not votes.num_rows:
        return []
    return [
        _of_levels(votes),
        _of_agreement(votes, build.recipe.seed),
        _of_annotators(votes),
        _of_consensus(votes),
        *_of_accuracy(build, votes),
        *_of_pairs(build, votes),
    ]


def _table(
    title: str,
    columns: Sequence[str],
    words: int,
    rows: Iterable[Sequence[object]],
    note: str = "",
    *,
    bars: Sequence[float] = (),
) -> Statistics:
    return Statistics(title=title, columns=columns, words=words, rows=list(rows), note=note, about="pairs", bars=bars)


def _votes(build: _Build) -> pa.Table:
    """Return the votes of people that count and have a side or a tie, with style, language and clips of their pairs."""
    votes = counted_votes(build)
    of_people = pc.invert(pc.fill_null(votes["aggregated"], False))
    votes = votes.filter(pc.and_(of_people, pc.is_in(votes["value"], value_set=pa.array(list(TERNARY)))))
    prompts = with_setting(build.tables.read("prompts"))
    pairs = attach(build.tables.read("pairs"), "prompt_id", prompts, "prompt_id", {name: name for name in _OF_PROMPT})
    return attach(votes, "pair_id", pairs, "pair_id", {name: name for name in _OF_PAIR}).combine_chunks()


def _of_subsets(rows: Sequence[FunnelRow]) -> Statistics:
    used = [level for level in COLUMNS if any(row.counts[level] for row in rows)]
    return _table(
        "Subsets by agreement of the annotators",
        ["", "", *used, "all"],
        2,
        [[row.kind, row.name, *(row.counts[level] for level in used), row.total] for row in rows],
        "Each subset is the next one and what left it; the last one is its splits and what left it.",
    )


def _of_levels(votes: pa.Table) -> Statistics:
    """Return the shares of the levels of agreement, in all and by style."""
    by_pair = votes_by_pair(votes.select(VOTES.names))
    style_of = votes.select(["pair_id", "style"]).group_by("pair_id").aggregate([("style", "min")])
    by_pair = attach(by_pair, "pair_id", style_of, "pair_id", {"style": "style_min"})
    counted = Counter(zip(by_pair["style"].to_pylist(), levels(by_pair["votes"]).to_pylist(), strict=True))
    rows = []
    for name in ("all", *sorted({style for style, _ in counted})):
        found = Counter[str]()
        for (style, level), n in counted.items():
            found[level] += n if name in ("all", style) else 0
        whole = sum(found[level] for level in LEVELS)
        if whole:
            rows.append([name, whole, *(f"{100 * found[level] / whole:.1f} %" for level in LEVELS)])
    note = "Full and weak agreement, weak and full disagreement of the votes on a pair; of pairs that have all their votes."
    return _table("Levels of agreement", ["style", "pairs", *LEVELS], 1, rows, note)


def _of_agreement(votes: pa.Table, seed: int) -> Statistics:
    found = agreement_table(votes, seed=seed)
    chance = alpha(votes)
    note = "Chance that two random annotators of a pair agree, in %, with the standard deviation over resamples of the pairs. "
    note += "Ternary: A, B or tie, on all pairs. Binary: A or B, on pairs with a majority for one of them. By pair: each pair "
    note += "weighs the same; by couple: each couple of its votes does. "
    note += (
        f"Krippendorff's alpha of all votes: {chance.value:.3f}." if chance.value is not None else f"No alpha: {chance.why}."
    )
    return _table(
        "Agreement between annotators",
        ["preference", "by", *(f"{style} {language}" for style, language in found.columns), "total"],
        2,
        [[row.labels, row.weight, *map(_percent, row.cells), _percent(row.total)] for row in found.rows],
        note,
    )


def _percent(one: InterAnnotatorAgreement | None) -> str:
    if one is None:
        return "-"
    return f"{100 * one.mean:.1f}" + ("" if one.std is None else f" ± {100 * one.std:.1f}")


def _of_annotators(votes: pa.Table) -> Statistics:
    rates = annotator_rates(votes)
    found = rate_histogram(rates["rate"].to_pylist())
    removed = pc.sum(rates["removed"]).as_py() or 0
    note = "How many annotators agree with the others on their pairs how often; of fewer than ten pairs nobody is rated."
    if removed:
        note += f" {removed} of them agree in less than 30 % of cases."
    columns, bars = ["agreement", "annotators"], list(map(float, found.values()))
    return _table("Annotators by agreement with the others", columns, 1, found.items(), note, bars=bars)


def _of_consensus(votes: pa.Table) -> Statistics:
    """Return how the majority's labels compare with those of Dawid and Skene's model."""
    by_pair = votes_by_pair(votes.select(VOTES.names))
    majority = dict(zip(by_pair["pair_id"].to_pylist(), majorities(by_pair["votes"]).to_pylist(), strict=True))
    tasks, labels, _ = counted_by_pair(votes)
    who = votes["annotator_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    found = dawid_skene(tasks, who, labels, kinds=len(_LABELS)).labels
    ids = votes["pair_id"].combine_chunks().dictionary_encode().dictionary.to_pylist()
    counted = Counter((majority[pair] or "none", _LABELS[label]) for pair, label in zip(ids, found.tolist(), strict=True))
    rows = [
        [said, *(counted[said, label] for label in _LABELS), sum(counted[said, label] for label in _LABELS)]
        for said in (*_LABELS, "none")
    ]
    note = (
        "Pairs by what the majority says (row) and by the label of Dawid and Skene's model, which weighs annotators by their "
    )
    note += "errors (column). The labels of this data set are the majority's."
    return _table("Majority and model", ["majority", *_LABELS, "all"], 1, rows, note)


def _of_accuracy(build: _Build, votes: pa.Table) -> list[Statistics]:
    facts = current_facts(build)
    if "wer" not in facts.column_names:
        return []
    wer, accurate, style = list[Any](), list[Any](), list[Any]()
    for side in ("a", "b"):
        told = votes.filter(pc.is_valid(votes[f"text_accurate_{side}"]))
        found = attach(told, f"sample_{side}", facts, "sample_id", {"error": "wer"})
        wer.append(found["error"].to_numpy())
        accurate.append(found[f"text_accurate_{side}"].to_numpy())
        style += found["style"].to_pylist()
    errors, right, styles = np.concatenate(wer), np.concatenate(accurate).astype(np.bool_), np.array(style, dtype=object)
    rows, bars = [], []
    for one in sorted(set(style)):
        for found in accuracy_by_wer(errors[styles == one], right[styles == one]):
            low, high = found.above, found.up_to
            name = "0 %" if low is None else f"above {low:.0%}" if high is None else f"{low:.0%} to {high:.0%}"
            if (share := found.accurate).value is not None:
                rows.append([one, name, share.n, f"{100 * share.value:.1f} %"])
                bars.append(share.value)
    note = "Votes on clips of a word error rate, and how many of them find the words right."
    columns = ["style", "word error rate", "votes on clips", "found accurate"]
    return [_table("Text accuracy against word error rate", columns, 2, rows, note, bars=bars)] if rows else []


def _of_pairs(build: _Build, votes: pa.Table) -> list[Statistics]:
    """Return how the pairs are distributed over systems, references and settings."""
    utterances = build.tables.read("utterances", ["utterance_id", "corpus"])
    ids = votes.select(["pair_id"]).group_by("pair_id").aggregate([])
    pairs = attach(ids, "pair_id", build.tables.read("pairs"), "pair_id", {n: n for n in ("prompt_id", "system_a", "system_b")})
    prompts = with_setting(build.tables.read("prompts"))
    pairs = attach(pairs, "prompt_id", prompts, "prompt_id", {n: n for n in ("style", "setting", "reference_utterance_id")})
    pairs = attach(pairs, "reference_utterance_id", utterances, "utterance_id", {"reference": "corpus"})
    sides = [pairs[f"system_{side}"].to_pylist() for side in ("a", "b")]
    couples = [" and ".join(sorted(both)) if both[0] != both[1] else f"{both[0]} twice" for both in zip(*sides, strict=True)]
    whole = pairs.num_rows
    return [
        _shares("Systems", "system", Counter([*sides[0], *sides[1]]), 2 * whole, "clips in pairs"),
        _shares("Pairs of systems", "systems", Counter(couples), whole, "pairs"),
        _shares("Speech references", "corpus", Counter(pairs["reference"].to_pylist()), whole, "pairs"),
        _of_settings(Counter(zip(pairs["style"].to_pylist(), pairs["setting"].to_pylist(), strict=True)), whole),
    ]


def _of_settings(counted: Counter[Any], whole: int) -> Statistics:
    found = _ordered(counted)
    rows = [[style, setting, n, f"{100 * n / whole:.1f} %"] for (style, setting), n in found]
    return _table("Language settings", ["style", "setting", "pairs", "share"], 2, rows, bars=[float(n) for _, n in found])


def _shares(title: str, of: str, counted: Counter[Any], whole: int, unit: str) -> Statistics:
    found = _ordered(counted)
    rows = [["none" if name is None else name, n, f"{100 * n / whole:.1f} %"] for name, n in found]
    return _table(title, [of, unit, "share"], 1, rows, bars=[float(n) for _, n in found])


def _ordered(counted: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
