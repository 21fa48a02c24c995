"""Drawn pairs: what they share, how many there are, how evenly clips are used, and what a lost clip changes."""

from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.rated_sampling import CATEGORIES, draw, uses

ALL = dict.fromkeys(CATEGORIES, 10**6)


def clips(rows):
    """Return clips: pool, content, speaker, system, condition, audio, rating; what is left out is None."""
    names = ("pool", "content_id", "speaker_id", "system", "condition", "audio_id", "rating")
    columns = {name: [row.get(name) for row in rows] for name in names}
    columns["pool"] = [row.get("pool", "p") for row in rows]
    columns["audio_id"] = [row.get("audio_id", f"a{n}") for n, row in enumerate(rows)]
    types = {name: pa.float64() if name == "rating" else pa.string() for name in names}
    table = {name: pa.array(values, types[name]) for name, values in columns.items()}
    return pa.table({"sample_id": [row.get("sample_id", f"s{n}") for n, row in enumerate(rows)], **table})


def corpus(contents, systems, *, pool="p", seed=0, levels=1000):
    """Return every content by every system; the ratings are drawn from so many values."""
    draws = np.random.default_rng(seed)
    return [
        {
            "sample_id": f"{pool} {content} {system}",
            "audio_id": f"{pool} {content} {system}",
            "pool": pool,
            "content_id": f"c{content}",
            "system": f"y{system}",
            "rating": float(draws.integers(levels)) / levels,
        }
        for content in range(contents)
        for system in range(systems)
    ]


def category_of(a, b):
    """Return the category of two clips as MOS-RMBench, section 3.2, has it; None = they are no pair. Written anew, by rows."""
    if a["pool"] != b["pool"] or a["audio_id"] == b["audio_id"] or a["rating"] == b["rating"]:
        return None

    def voice(clip):
        known = {("speaker", clip["speaker_id"])} if clip["speaker_id"] else set()
        if clip["system"]:
            return known | {("system", clip["system"])}
        return known | ({("condition", clip["condition"])} if clip["condition"] else set())

    if a["content_id"] == b["content_id"]:
        differ = any(a[name] != b[name] for name in ("speaker_id", "system", "condition"))
        return "same_content" if differ else None
    if voice(a) & voice(b):
        return "same_speaker_or_system"
    return "neither" if voice(a) and voice(b) else None


maybe = st.sampled_from([None, "x", "y", "z"])
clip = st.fixed_dictionaries(
    {
        "pool": st.sampled_from(["p", "q"]),
        "content_id": st.sampled_from(["1", "2", "3"]),
        "speaker_id": maybe,
        "system": maybe,
        "condition": maybe,
        "audio_id": st.sampled_from([f"a{n}" for n in range(12)]),
        "rating": st.sampled_from([1.0, 1.5, 2.0, 3.7, 5.0]),
    }
)


@given(rows=st.lists(clip, max_size=14), seed=st.integers(0, 5), wanted=st.fixed_dictionaries(dict.fromkeys(CATEGORIES, st.integers(0, 40))))  # fmt: skip
def test_pairs_are_of_their_categories_and_none_is_missing(rows, seed, wanted):
    """As many as are wanted and possible; where a category has too few, the others make up for it."""
    table = clips(rows)
    possible = {(n, m): of for n, m in combinations(range(len(rows)), 2) if (of := category_of(rows[n], rows[m]))}
    found = draw(table, wanted, seed=seed).to_pylist()
    drawn = {(min(row["left"], row["right"]), max(row["left"], row["right"])): row["category"] for row in found}
    assert len(drawn) == len(found), "each two clips once"
    assert drawn.items() <= possible.items()
    assert len(drawn) == min(sum(wanted.values()), len(possible))


@given(
    contents=st.integers(4, 12),
    systems=st.integers(4, 8),
    share=st.floats(0.3, 4),
    parts=st.tuples(*(st.integers(1, 3) for _ in CATEGORIES)),
    seed=st.integers(0, 100),
)
def test_clips_are_used_evenly_whatever_the_shares(contents, systems, share, parts, seed):
    """Each within a factor of two of the mean: from half of it, rounded down, to twice it, rounded up."""
    rows = corpus(contents, systems, seed=seed)
    quota = max(3, int(share * len(rows)))
    wanted = {name: quota * part // sum(parts) for name, part in zip(CATEGORIES, parts, strict=True)}
    table = clips(rows)
    found = draw(table, wanted, seed=seed)
    assert found.num_rows == sum(wanted.values())
    used = uses(found, len(rows))
    mean = 2 * found.num_rows / len(rows)
    assert np.floor(mean / 2) <= used.min()
    assert used.max() <= max(1, np.ceil(2 * mean))


def test_shares_are_met_where_there_is_enough_of_each():
    table = clips(corpus(40, 10))
    wanted = {"same_content": 300, "same_speaker_or_system": 300, "neither": 400}
    assert Counter(draw(table, wanted, seed=0)["category"].to_pylist()) == wanted
    assert set(draw(table, {"neither": 100}, seed=0)["category"].to_pylist()) == {"neither"}


def test_a_pair_of_two_takes_is_in_no_category():
    """One content by one speaker and system under one condition twice."""
    take = {"content_id": "c", "speaker_id": "x", "system": "y", "condition": "z"}
    found = draw(clips([take | {"rating": 1.0}, take | {"rating": 2.0}, take | {"rating": 3.0, "condition": "w"}]), ALL, seed=0)
    assert sorted(zip(found["left"].to_pylist(), found["right"].to_pylist(), strict=True)) == [(0, 2), (1, 2)]


@pytest.mark.parametrize(("gap", "pairs"), [(0.0, 3), (0.2, 2), (0.21, 1), (0.31, 0)])
def test_ratings_are_at_least_so_far_apart(gap, pairs):
    rows = [{"content_id": "c", "system": f"y{n}", "rating": rating} for n, rating in enumerate((3.7, 3.5, 3.4))]
    assert draw(clips(rows), ALL, seed=0, min_gap=gap).num_rows == pairs


@pytest.mark.parametrize(("quota", "share"), [(200, 0.1), (800, 0.2)])
def test_a_lost_clip_changes_few_pairs(quota, share):
    """Of 400 clips, beside those that it was in: the hashes of the others stay, and with them most of their pairs."""
    rows = corpus(40, 10)
    wanted = dict.fromkeys(CATEGORIES, quota // 3)

    def names(rows):
        found = draw(clips(rows), wanted, seed=1)
        ids = [row["sample_id"] for row in rows]
        return {frozenset({ids[row["left"]], ids[row["right"]]}) for row in found.to_pylist()}

    before, changed = names(rows), 0
    for lost in range(0, 400, 80):
        after = names(rows[:lost] + rows[lost + 1 :])
        changed += len({pair for pair in before - after if rows[lost]["sample_id"] not in pair})
    assert changed / 5 < share * quota


def test_the_order_of_the_clips_does_not_matter():
    rows = corpus(12, 5)

    def names(rows, seed):
        found = draw(clips(rows), dict.fromkeys(CATEGORIES, 30), seed=seed).to_pylist()
        ids = [row["sample_id"] for row in rows]
        return {(frozenset({ids[row["left"]], ids[row["right"]]}), row["category"]) for row in found}

    assert names(rows, 3) == names(rows[::-1], 3)
    assert names(rows, 3) != names(rows, 4)


def test_ties_are_no_pairs_and_no_obstacle():
    """With few distinct ratings, as of four listeners, the quota and the even use are met all the same."""
    rows = corpus(30, 10, levels=8)
    found = draw(clips(rows), dict.fromkeys(CATEGORIES, 200), seed=0)
    ratings = np.array([row["rating"] for row in rows])
    assert found.num_rows == 600
    assert (ratings[found["left"]] != ratings[found["right"]]).all()
    assert 2 <= uses(found, len(rows)).min() <= uses(found, len(rows)).max() <= 8
