"""SpeechJudge-Data as published, derived again by our rules from the votes in it, and what differs.

Nothing is synthesised or asked: levels, labels, the subsets pref and hq, and what may be in eval, dev and train follow from the
votes (SpeechJudge, 3.2, 4.1, 5.1, A.2, B). The gap of word error rates is not published: hq is known where clips are measured.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.errors import DataError
from contracts.ids import digest
from filters.wer_gap import WerGap
from scoring.reliability.agreement_levels import annotator_rates, levels, majorities
from splits.assign import assign
from splits.quotas import Size
from storage.local_files import new_folder
from storage.published_pairs import WITHOUT_AUDIO, tables_of
from storage.shards import siblings_of, split_of

CHOSEN_RATE: Final = 0.40
"""Annotators agree with the others above this rate where ``chosen`` is true, as the data set's card says."""

STRATUM: Final = 200
STRATA: Final = ("regular en", "regular zh", "expressive en", "expressive zh", "expressive mixed")
"""Eval, and dev, have so many pairs of each of these (SpeechJudge, Table 4)."""

_FIRST: Final = 5
_MOST_SHOWN: Final = 200
_LEVELS: Final = ("FA", "WA", "WD", "FD")

WerOf = Callable[[Path], pa.Table]
"""File of rows -> ``wer_a`` and ``wer_b`` of each of them; null = not measured."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is published, with what follows from its votes.

    Attributes:
        pairs: rows of PUBLISHED_PAIRS without clips, and ``level``, ``majority`` (a, b, tie or null), ``rate_low`` and
            ``rate_high`` (lowest and highest agreement rate of its annotators; null = none is rated), ``in_hq`` (null = the
            clips were not measured).
        votes: rows of VOTES.
    """

    pairs: pa.Table
    votes: pa.Table


def read_published(folder: Path, wer_of: WerOf | None = None) -> Published:
    """Read a folder of published rows: ``<split>-*.parquet`` or ``<split>.parquet``, at any depth.

    Args:
        folder: where the files are.
        wer_of: measures the clips of a file; None = nothing is measured.

    Raises:
        DataError: there is none, one of several is missing, a file is no such Parquet, no row is there, or one breaks the
            layout.
    """
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise DataError(f"{folder} has no Parquet file: name the folder of the downloaded data set")
    _require_whole(files, folder)
    found = [_read(file, file.relative_to(folder).as_posix()) for file in files]
    pairs, votes = (pa.concat_tables(tables) for tables in zip(*found, strict=True))
    if not pairs.num_rows:
        raise DataError(f"{folder} has no rows in {', '.join(file.relative_to(folder).as_posix() for file in files)}")
    if len(set(pairs["pair_id"].to_pylist())) < pairs.num_rows:
        raise DataError(f"{folder}: a split has an index twice: are two versions of the data set in it?")
    wers = [wer_of(file) for file in files] if wer_of is not None else []
    return Published(pairs=_with_levels(pairs, votes, pa.concat_tables(wers) if wers else None), votes=votes)


def _require_whole(files: Sequence[Path], folder: Path) -> None:
    """Refuse a split of which not all shards are there.

    Raises:
        DataError: a shard is missing; names it.
    """
    there = set(files)
    for file in files:
        wanted = [file.with_name(name) for name in siblings_of(file.name)]
        if missing := [one.relative_to(folder).as_posix() for one in wanted if one not in there]:
            raise DataError(f"{len(missing)} of {len(wanted)} files of a split are missing: download {missing[0]}, too")


def _read(file: Path, name: str) -> tuple[pa.Table, pa.Table]:
    try:
        there = pq.read_schema(file).names
        if missing := [column for column in WITHOUT_AUDIO if column not in there]:
            raise DataError(f"{name} has no column {missing[0]}: is it of SpeechJudge-Data?")
        rows = pq.read_table(file, columns=WITHOUT_AUDIO)
    except (OSError, pa.ArrowException) as error:
        why = " ".join(str(error).split())[:_MOST_SHOWN]
        raise DataError(f"{name} cannot be read ({why}): is it of SpeechJudge-Data?") from error
    split = split_of(file.name).removesuffix(".parquet")
    return tables_of(rows.to_pylist(), split, name)


def _with_levels(pairs: pa.Table, votes: pa.Table, wers: pa.Table | None) -> pa.Table:
    rates = annotator_rates(votes)
    rate_of = dict(zip(rates["annotator_id"].to_pylist(), rates["rate"].to_pylist(), strict=True))
    cast: dict[str, list[dict[str, Any]]] = {pair: [] for pair in pairs["pair_id"].to_pylist()}
    for vote in votes.select(["pair_id", "annotator_id", "value"]).to_pylist():
        cast[vote["pair_id"]].append(vote)
    column = pa.array(cast.values(), pa.list_(pa.struct([("annotator_id", pa.string()), ("value", pa.string())])))
    rated = [[rate for vote in some if (rate := rate_of[vote["annotator_id"]]) is not None] for some in cast.values()]
    in_hq = pa.nulls(pairs.num_rows, pa.bool_()) if wers is None else pc.is_null(WerGap().reasons(wers))
    if wers is not None:
        in_hq = pc.if_else(pc.and_(pc.is_valid(wers["wer_a"]), pc.is_valid(wers["wer_b"])), in_hq, None)
    added = {
        "level": levels(column),
        "majority": majorities(column),
        "rate_low": pa.array([min(some, default=None) for some in rated], pa.float64()),
        "rate_high": pa.array([max(some, default=None) for some in rated], pa.float64()),
        "in_hq": in_hq,
    }
    for name, values in added.items():
        pairs = pairs.append_column(name, values)
    return pairs.drop_columns(["prompt_audio", "audio_a", "audio_b"])


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule that what is published should follow.

    Attributes:
        name: the rule, as a sentence without a verb of ours.
        applies: to which pairs.
        holds: whether it holds of such a pair; None = it cannot be told.
    """

    name: str
    applies: Callable[[Mapping[str, Any]], bool]
    holds: Callable[[Mapping[str, Any]], bool | None]


def _is_pref(pair: Mapping[str, Any]) -> bool:
    return pair["majority"] in {"a", "b"}


def _above(pair: Mapping[str, Any], rate: str) -> bool | None:
    return None if pair[rate] is None else pair["chosen"] == (pair[rate] > CHOSEN_RATE)


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="naturalness_label is the majority of the votes",
        applies=lambda pair: pair["majority"] is not None,
        holds=lambda pair: pair["label"] == pair["majority"],
    ),
    Rule(
        name="no majority: naturalness_label is Tie",
        applies=lambda pair: pair["majority"] is None,
        holds=lambda pair: pair["label"] == "tie",
    ),
    Rule(
        name="chosen: every annotator of the pair agrees with the others above 40 %",
        applies=lambda _pair: True,
        holds=lambda pair: _above(pair, "rate_low"),
    ),
    Rule(
        name="chosen: some annotator of the pair does",
        applies=lambda _pair: True,
        holds=lambda pair: _above(pair, "rate_high"),
    ),
    Rule(
        name="test and dev: full agreement",
        applies=lambda pair: pair["split"] in {"test", "dev"},
        holds=lambda pair: pair["level"] == "FA",
    ),
    Rule(
        name="train: no full disagreement",
        applies=lambda pair: pair["split"] == "train",
        holds=lambda pair: pair["level"] != "FD",
    ),
    Rule(
        name="train, dev and test: in pref (a majority for A or B)",
        applies=lambda pair: pair["split"] in {"train", "dev", "test"},
        holds=_is_pref,
    ),
    Rule(
        name="train, dev and test: in hq (WER gap below 12 %)",
        applies=lambda pair: pair["split"] in {"train", "dev", "test"},
        holds=lambda pair: pair["in_hq"],
    ),
)


def differences(published: Published) -> list[dict[str, object]]:
    """Return what differs by rule: ``rule, pairs, equal, differ, untold, first`` (split and index of the first that differ)."""
    rows = published.pairs.to_pylist()
    found: list[dict[str, object]] = []
    for rule in RULES:
        told = [(pair, rule.holds(pair)) for pair in rows if rule.applies(pair)]
        wrong = [pair for pair, holds in told if holds is False]
        found.append(
            {
                "rule": rule.name,
                "pairs": len(told),
                "equal": sum(holds is True for _, holds in told),
                "differ": len(wrong),
                "untold": sum(holds is None for _, holds in told),
                "first": ", ".join(f"{pair['split']} {pair['index']}" for pair in wrong[:_FIRST]),
            }
        )
    return [*found, _shared_texts(rows)]


def _shared_texts(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return how many texts of test and dev stand in train, too."""
    trained = {pair["text"] for pair in rows if pair["split"] == "train"}
    held_out = [pair for pair in rows if pair["split"] in {"test", "dev"}]
    shared = [pair for pair in held_out if pair["text"] in trained]
    return {
        "rule": "test and dev: their texts are not in train",
        "pairs": len(held_out),
        "equal": len(held_out) - len(shared),
        "differ": len(shared),
        "untold": 0,
        "first": ", ".join(f"{pair['split']} {pair['index']}" for pair in shared[:_FIRST]),
    }


def funnel(published: Published) -> list[dict[str, object]]:
    """Return how many pairs are where: ``split, pairs, votes_per_pair, FA, WA, WD, FD, other_level, pref, hq``.

    hq is null where no clip was measured, else it counts pairs in pref whose gap is known and small enough.
    """
    votes = Counter(published.votes["pair_id"].to_pylist())
    splits: dict[str, list[dict[str, Any]]] = {}
    for pair in published.pairs.to_pylist():
        splits.setdefault(pair["split"], []).append(pair)
    rows = [_counted(name, pairs, votes) for name, pairs in sorted(splits.items())]
    return [*rows, _counted("all", [pair for pairs in splits.values() for pair in pairs], votes)]


def _counted(name: str, pairs: Sequence[Mapping[str, Any]], votes: Mapping[str, int]) -> dict[str, object]:
    by_level = Counter(pair["level"] for pair in pairs)
    pref = [pair for pair in pairs if _is_pref(pair)]
    measured = [pair for pair in pref if pair["in_hq"] is not None]
    return {
        "split": name,
        "pairs": len(pairs),
        "votes_per_pair": round(sum(votes[pair["pair_id"]] for pair in pairs) / len(pairs), 3),
        **{level: by_level[level] for level in _LEVELS},
        "other_level": len(pairs) - sum(by_level[level] for level in _LEVELS),
        "pref": len(pref),
        "hq": sum(pair["in_hq"] for pair in measured) if measured else None,
    }


def derived_splits(published: Published, seed: int) -> dict[str, str]:
    """Return pair -> ``eval``, ``dev`` or ``train`` as our rules draw them: 200 of each stratum, texts whole, train the rest.

    Eval and dev take pairs of full agreement, all three take pairs in pref, and in hq where that is known. Which texts are
    drawn is a matter of the seed: numbers compare with what is published, members do not.
    """
    rows = [pair for pair in published.pairs.to_pylist() if _is_pref(pair) and pair["in_hq"] is not False]
    least: dict[str, str] = {}
    for pair in rows:
        least[pair["text"]] = min(_stratum(pair), least.get(pair["text"], _stratum(pair)))
    found: dict[str, str] = {}
    for stratum in sorted(set(least.values())):
        members = [pair for pair in rows if least[pair["text"]] == stratum]
        texts = [digest(pair["text"]) for pair in members]
        items = {
            "item_id": [pair["pair_id"] for pair in members],
            "group_id": texts,
            "leakage_group": texts,
            "stratum": [stratum] * len(members),
        }
        held_out = pa.array([pair["level"] == "FA" and _stratum(pair) in STRATA for pair in members])
        sizes = {"eval": Size(quota=STRATUM), "dev": Size(quota=STRATUM), "train": Size(fraction=1.0)}
        assigned, _ = assign(pa.table(items), sizes, seed, {"eval": held_out, "dev": held_out})
        found |= dict(zip(assigned["item_id"].to_pylist(), assigned["split"].to_pylist(), strict=True))
    return found


def write_derived(published: Published, folder: Path, seed: int) -> None:
    """Write what was derived: ``pairs.parquet``, with ``our_split``, and ``votes.parquet``; the folder appears complete.

    Raises:
        DataError: the folder is there already.
    """
    ours = derived_splits(published, seed)
    splits = pa.array([ours.get(pair) for pair in published.pairs["pair_id"].to_pylist()], pa.string())
    with new_folder(folder) as temporary:
        pq.write_table(published.pairs.append_column("our_split", splits), temporary / "pairs.parquet", compression="zstd")
        pq.write_table(published.votes, temporary / "votes.parquet", compression="zstd")


def _stratum(pair: Mapping[str, Any]) -> str:
    return f"{pair['style']} {pair['setting'].partition('2')[2]}"


def strata(published: Published, seed: int = 0) -> list[dict[str, object]]:
    """Return what is published and what our rules draw, by stratum of Table 4.

    ``stratum, test, dev, train, our_eval, our_dev, our_train``; the first three are published.
    """
    ours = derived_splits(published, seed)
    counted: dict[str, Counter[str]] = {}
    for pair in published.pairs.to_pylist():
        counts = counted.setdefault(_stratum(pair), Counter())
        counts[pair["split"]] += 1
        counts[f"our_{ours.get(pair['pair_id'])}"] += 1
    names = ("test", "dev", "train", "our_eval", "our_dev", "our_train")
    return [{"stratum": stratum, **{name: counts[name] for name in names}} for stratum, counts in sorted(counted.items())]
