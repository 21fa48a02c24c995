"""Splits that people decide about: quotas of confirmed pairs, and conditions on what they and the teacher said."""

import pytest

from flows.views.status import status_of
from tests.flows.small import run
from tests.flows.verified import BY_VOTES, COMPARED, VERIFIED, confirming, opened_again, released, split_of, vote


def test_a_quota_is_one_of_confirmed_pairs(opened):
    """More are asked about than the quota; a lack says how many it takes; with more the votes stay, and the rest is cut."""
    said = {"splits": {"fractions": None, "quotas": {"bench": 2, "sft": 4}}}
    build = opened(**said, listening=VERIFIED | {"splits": ["bench"]})
    run(build, "verification")
    first = sorted(pair for pair, split in split_of(build).items() if split == "bench")
    assert len(first) == 3
    truth = confirming(build)
    vote(build, first, lambda pair: truth(pair) if pair == first[0] else "invalid")
    assert run(build, "verification")["verification"].dropped == {"invalid": 2}
    (row,) = [row for row in status_of(build) if row["stage"] == "listening quota of bench"]
    assert (row["in"], row["out"], row["missing"]) == (2, 1, 1)
    assert row["state"] == "quota not met: set listening.oversample to 3 or more, if there are pairs"

    more = opened_again(build, **said, listening=VERIFIED | {"splits": ["bench"], "oversample": 3})
    waiting = run(more, "verification")["verification"]
    now = sorted(pair for pair, split in split_of(more).items() if split == "bench")
    assert set(first) < set(now)
    assert str(waiting) == "waiting for votes: 9 of 18"
    vote(more, sorted({*now} - {*first}), truth)
    assert run(more, "release")["verification"].dropped == {"invalid": 2, "over_quota": 2}
    assert len(released(more)["bench"]) == 2
    assert [row["state"] for row in status_of(more) if row["stage"] == "listening quota of bench"] == [""]


@pytest.mark.parametrize(
    ("where", "right"), [({"teacher": "right"}, True), ({"teacher": "wrong"}, False), ({"agreement": ["FA"]}, None)]
)
def test_a_split_takes_what_meets_its_condition(opened, where, right):
    """Of pairs that people labelled: those on which the teacher was right or wrong, or on which all agreed."""
    sets = {"train": {"fraction": 1, "where": where}}
    build = opened(splits={"fractions": None, "sets": sets}, listening=COMPARED, filters=BY_VOTES)
    run(build, "votes")
    pairs = build.tables.read("pairs")["pair_id"].to_pylist()
    says = {pair: "A+1" if number % 2 else "B+1" for number, pair in enumerate(sorted(pairs))}
    vote(build, pairs, says.__getitem__, "speechjudge", ("v1", "v2"))
    books = run(build, "splits")["splits"]
    verdicts = dict(zip(*(build.tables.read("rulings")[name].to_pylist() for name in ("pair_id", "verdict")), strict=True))
    fitting = {pair for pair in pairs if right is None or (verdicts[pair] == says[pair][0].lower()) is right}
    assert set(split_of(build)) == fitting
    assert set(split_of(build).values()) == {"train"}
    assert books.dropped == ({"ineligible": len(pairs) - len(fitting)} if right is not None else {})
