"""The row-wise filters: each reason, each boundary, and the chain that keeps the books."""

import json
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import plugins
from contracts.errors import DataError, RecipeError
from contracts.schemas import DROPS
from filters.agreement import Agreement
from filters.audio_sanity import AudioSanity
from filters.chain import apply
from filters.cmos_to_preference import CmosToPreference, labels
from filters.tied_totals import TiedTotals
from filters.verdict import first_reason, split
from filters.wer_gap import WerGap

VOTES = pa.list_(pa.struct([("annotator_id", pa.string()), ("value", pa.string())]))
SANE = {
    "text": "The quick brown fox jumps over the lazy dog.", "duration_a": 2.6, "duration_b": 3.0, "sample_rate_a": 16000,
    "sample_rate_b": 16000, "loudness_a": -23.0, "loudness_b": -23.4,
}  # fmt: skip


OTHER_SIDE = {"_a": "_b", "_b": "_a"}


def table(*rows):
    return pa.Table.from_pylist(list(rows))


def votes(*rows):
    return pa.table(
        {"votes": pa.array([row and [{"annotator_id": f"r{n}", "value": v} for n, v in enumerate(row)] for row in rows], VOTES)}
    )


@pytest.mark.parametrize(
    ("wer_a", "wer_b", "expected"),
    [(0.0, 0.11, None), (0.0, 0.12, "wer_gap"), (0.37, 0.25, "wer_gap"), (0.32, 0.2, "wer_gap"), (0.2, 0.32, "wer_gap"),
     (1.4, 0.1, "wer_gap"), (0.5, 0.5, None), (None, 0.1, "wer_unknown"), (0.1, None, "wer_unknown"), (None, None, "wer_unknown")],
)  # fmt: skip
def test_wer_gap(wer_a, wer_b, expected):
    """Below 12 % is kept, 12 % is not, in whatever order and however the difference rounds (SpeechJudge, appendix A.2)."""
    schema = pa.schema([("wer_a", pa.float64()), ("wer_b", pa.float64())])
    rows = pa.Table.from_pylist([{"wer_a": wer_a, "wer_b": wer_b}], schema=schema)
    assert WerGap().reasons(rows).to_pylist() == [expected]
    wide = WerGap(max_gap=2.0).reasons(rows).to_pylist()
    assert wide == [expected if expected == "wer_unknown" else None]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=40))
def test_wer_gap_is_exact_on_percents(percents):
    """On whole percents the filter says what integer arithmetic says."""
    rows = table(*[{"wer_a": a / 100, "wer_b": b / 100} for a, b in percents])
    assert WerGap().reasons(rows).to_pylist() == [None if abs(a - b) < 12 else "wer_gap" for a, b in percents]


def test_tied_totals():
    """Equal totals name no winner; an unknown total and judgments that cancel out are told apart from a tie."""
    rows = table(
        {"total_a": 31.0, "total_b": 31.0, "verdict": None},
        {"total_a": 31.0, "total_b": 30.5, "verdict": "a"},
        {"total_a": None, "total_b": 30.0, "verdict": "b"},
        {"total_a": 31.0, "total_b": 31.0, "verdict": "b"},
        {"total_a": 31.0, "total_b": 30.5, "verdict": None},
    )
    found = TiedTotals().reasons(rows)
    assert found.to_pylist() == ["tied_totals", None, "totals_unknown", "tied_totals", "no_verdict"]
    assert TiedTotals().evidence(rows, found).to_pylist() == [
        '{"total_a":31.0,"total_b":31.0,"verdict":null}',
        None,
        '{"total_a":null,"total_b":30.0,"verdict":"b"}',
        '{"total_a":31.0,"total_b":31.0,"verdict":"b"}',
        '{"total_a":31.0,"total_b":30.5,"verdict":null}',
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [({}, None), ({"sample_rate_b": 22050}, "sample_rate_mismatch"), ({"loudness_b": -24.0}, None),
     ({"loudness_b": -24.1}, "loudness_gap"), ({"duration_a": 0.5}, "too_short"), ({"duration_b": 40.0}, "too_long"),
     ({"duration_a": 1.0, "duration_b": 3.1}, "duration_ratio"), ({"duration_a": 1.0, "duration_b": 3.0}, None),
     ({"text": None}, "audio_unknown"), ({"loudness_a": None}, "audio_unknown"),
     ({"text": "Hm!", "duration_a": 0.4, "duration_b": 0.9}, None), ({"text": "今天天气很好", "duration_a": 1.5, "duration_b": 1.9}, None),
     ({"text": "...", "duration_a": 0.4, "duration_b": 2.5}, "too_long")],
)  # fmt: skip
def test_audio_sanity(change, expected):
    """Each check has its reason, and normal English, one-word and Mandarin pairs pass."""
    rows = table(SANE | {"text": SANE["text"]}, SANE | change)
    found = AudioSanity().reasons(rows)
    assert found.to_pylist() == [None, expected]
    evidence = AudioSanity().evidence(rows, found).to_pylist()
    assert evidence[0] is None
    if expected:
        assert json.loads(evidence[1]) == SANE | change


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({
    "text": st.sampled_from(["Yes.", "a long and winding road"]), "duration_a": st.floats(0.01, 60), "duration_b": st.floats(0.01, 60),
    "sample_rate_a": st.sampled_from([16000, 24000]), "sample_rate_b": st.sampled_from([16000, 24000]),
    "loudness_a": st.floats(-30, -20), "loudness_b": st.floats(-30, -20),
}), min_size=1, max_size=20))  # fmt: skip
def test_audio_sanity_knows_no_sides(rows):
    """Swapping A and B changes no reason."""
    swapped = [
        {OTHER_SIDE.get(name[-2:], name[-2:]).join([name[:-2], ""]): value for name, value in row.items()} for row in rows
    ]
    assert AudioSanity().reasons(table(*swapped)).equals(AudioSanity().reasons(table(*rows)))


ALL_CASES = votes(
    ["A+1", "A+2"],
    ["A+1", "Tie", "A+1"],
    ["B+1", "B+1", "A+2"],
    ["A+1", "B+1", "T"],
    ["A+1", "B+1"],
    ["A+1"],
    None,
    ["T", "T", "B+2"],
)


def test_agreement_default_is_the_train_rule():
    """FA, WA and WD stay, FD goes (SpeechJudge, section 5.1); pairs without a level say what they wait for."""
    found = Agreement().reasons(ALL_CASES).to_pylist()
    assert found == [None, None, None, "agreement_fd", "needs_third", "needs_second", "no_votes", None]


def test_agreement_of_the_evaluation_set():
    """Keeping FA alone drops the other levels under their own names."""
    found = Agreement(keep=("FA",)).reasons(ALL_CASES).to_pylist()
    assert found[:4] == [None, "agreement_wa", "agreement_wd", "agreement_fd"]
    assert found[7] == "agreement_wa"


def test_cmos_to_preference():
    """Only a majority for A or B is a preference; the labels are those majorities."""
    found = CmosToPreference().reasons(ALL_CASES).to_pylist()
    assert found == [None, None, None, "no_majority", "needs_third", "needs_second", "no_votes", "tie"]
    assert labels(ALL_CASES["votes"]).to_pylist() == ["a", "a", "b", None, None, None, None, None]


@pytest.mark.parametrize("plugin", [Agreement(), CmosToPreference()])
def test_votes_are_the_evidence(plugin):
    """A dropped pair shows its votes."""
    evidence = plugin.evidence(ALL_CASES, plugin.reasons(ALL_CASES)).to_pylist()
    assert [vote["value"] for vote in json.loads(evidence[4])["votes"]] == ["A+1", "B+1"]
    assert json.loads(evidence[6]) == {"votes": None}
    assert evidence[0] is None


@pytest.mark.parametrize("plugin", [Agreement(), CmosToPreference()])
def test_unknown_vote_stops_the_filter(plugin):
    """A typo in a vote is an error, not a tie."""
    with pytest.raises(DataError, match="'A\\+9'"):
        plugin.reasons(votes(["A+1", "A+9"]))


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [("wer_gap", {"max_gap": 0}, "max_gap"), ("agreement", {"keep": ["XX"]}, "keep"), ("audio_sanity", {"max_duration_ratio": 0.5}, "ratio"),
     ("audio_sanity", {"min_seconds_per_character": 2.0}, "min_seconds"), ("wer_gap", {"max_gab": 1}, "max_gap"), ("cycle", {}, "cycles")],
)  # fmt: skip
def test_bad_options_are_recipe_errors(name, options, word):
    """A recipe that names a filter, option or value that does not exist hears which do."""
    with pytest.raises(RecipeError, match=word):
        plugins.configure("filter", name, options)


def test_all_filters_are_plugins():
    """Every filter of the issue can be named in a recipe, and says which columns it reads."""
    names = plugins.names("filter")
    required = {
        "agreement", "audio_sanity", "cmos_to_preference", "cycles", "human_verification", "order_agreement", "tied_totals", "wer_gap",
    }  # fmt: skip
    assert required <= set(names)
    for name in names:
        assert plugins.configure("filter", name).columns


def test_first_reason_takes_the_first_rule():
    """Rules are tried in order and a null in a mask is no reason."""
    first, second = pa.array([True, None, False, None]), pa.array([True, True, False, None])
    assert first_reason([("one", first), ("two", second)]).to_pylist() == ["one", "two", None, None]


def test_split_refuses_reasons_of_another_table():
    """As many reasons as rows, or nothing."""
    with pytest.raises(ValueError, match="2 reasons for 1 rows"):
        split(table({"x": 1}), pa.array([None, "y"]))


CHAIN = [("tied_totals", TiedTotals()), ("wer", WerGap())]


def pair(pair_id, total_a, total_b, wer_a, wer_b):
    verdict = "a" if total_a > total_b else "b" if total_b > total_a else None
    return {"item_id": pair_id, "total_a": total_a, "total_b": total_b, "verdict": verdict, "wer_a": wer_a, "wer_b": wer_b}


def test_chain_shows_each_filter_the_survivors_only():
    """A pair that two filters would drop is dropped once, by the first; the others keep their order."""
    rows = table(
        pair("p0", 1.0, 1.0, 0.0, 0.9),
        pair("p1", 1.0, 2.0, 0.0, 0.9),
        pair("p2", 1.0, 2.0, 0.0, 0.1),
        pair("p3", 3.0, 3.0, 0.0, 0.0),
    )
    kept, drops = apply(rows, CHAIN)
    assert kept.equals(rows[2:3])
    assert drops.schema.equals(DROPS)
    assert [(row["row_id"], row["filter"], row["reason"]) for row in drops.to_pylist()] == [
        ("p0", "tied_totals", "tied_totals"), ("p3", "tied_totals", "tied_totals"), ("p1", "wer", "wer_gap"),
    ]  # fmt: skip
    assert json.loads(drops["evidence"][2].as_py()) == {"wer_a": 0.0, "wer_b": 0.9}
    assert set(drops["stage"].to_pylist()) == {"filters"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.none() | st.floats(0, 1), st.floats(0, 1)), max_size=40))
def test_chain_balances_its_books(rows):
    """Every pair is either kept or dropped, exactly once, and what is kept is dropped by nobody a second time."""
    columns = list(zip(*rows, strict=True)) or [[], [], [], []]
    numbers = {name: pa.array(columns[n], pa.float64()) for n, name in enumerate(("total_a", "total_b", "wer_a", "wer_b"))}
    verdicts = pa.array([None if a == b else "ab"[b > a] for a, b, *_ in rows], pa.string())
    pair_ids = pa.array([f"p{n}" for n in range(len(rows))], pa.string())
    comparisons = pa.table({"item_id": pair_ids, "verdict": verdicts, **numbers})
    kept, drops = apply(comparisons, CHAIN)
    assert sorted(kept["item_id"].to_pylist() + drops["row_id"].to_pylist()) == sorted(comparisons["item_id"].to_pylist())
    again, none = apply(kept, CHAIN)
    assert again.equals(kept)
    assert none.num_rows == 0


def test_chain_names_missing_columns_and_nan():
    """Columns are checked before anything runs; NaN is no number and no null."""
    with pytest.raises(DataError, match=r"wer_a \(for filter wer\), wer_b \(for filter wer\)"):
        apply(table({"item_id": "p", "total_a": 1.0, "total_b": 2.0, "verdict": "b"}), CHAIN)
    with pytest.raises(DataError, match="wer_b, row 0: NaN"):
        apply(table(pair("p", 1.0, 2.0, 0.0, float("nan"))), CHAIN)


class _Mask:
    columns: ClassVar = ("verdict",)

    def __init__(self, given):
        self.given = given

    def reasons(self, table):
        return self.given

    def evidence(self, table, reasons):
        return reasons


@pytest.mark.parametrize("given", [pa.array([False]), pa.array(["x", None]), None, ["x"], pa.array([1])])
def test_a_filter_that_gives_no_reasons_is_refused(given):
    """A mask of what to drop would drop every pair, since none of its values is null."""
    with pytest.raises(DataError, match=r"filter 'mine': reasons.. must return one string or null for each of 1 rows, got"):
        apply(table(pair("p", 1.0, 2.0, 0.0, 0.0)), [("mine", _Mask(given))])


def test_chain_without_filters():
    """An empty chain keeps everything."""
    rows = table(pair("p0", 1.0, 1.0, 0.0, 0.9))
    kept, drops = apply(rows, [])
    assert kept.equals(rows)
    assert drops.num_rows == 0
