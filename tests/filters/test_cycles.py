"""The cycles filter, against networkx and by hand."""

import json

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.ids import row_id
from filters.cycles import Cycles


def comparisons(*rows):
    """Build a table from (group, a, b, verdict); pair ids count up."""
    columns = {
        name: pa.array([row[n] for row in rows], pa.string())
        for n, name in enumerate(("group_id", "sample_a", "sample_b", "verdict"))
    }
    return pa.table({"item_id": pa.array([f"p{n}" for n in range(len(rows))], pa.string()), **columns})


def reasons(*rows):
    return Cycles().reasons(comparisons(*rows)).to_pylist()


def test_three_cycle_of_the_paper():
    """A > B, B > C, C > A are dropped; what C loses to D outside the cycle is kept (UniSRM, appendix G.1)."""
    found = reasons(("t", "A", "B", "a"), ("t", "B", "C", "a"), ("t", "A", "C", "b"), ("t", "D", "C", "a"))
    assert found == ["cycle", "cycle", "cycle", None]


def test_longer_cycle_and_its_chord():
    """A cycle of four drops, and so does the chord inside it."""
    ring = [("t", "A", "B", "a"), ("t", "B", "C", "a"), ("t", "C", "D", "a"), ("t", "D", "A", "a")]
    assert reasons(*ring, ("t", "A", "C", "a")) == ["cycle"] * 5


def test_opposite_labels_of_one_pair_are_a_two_cycle():
    """The same two samples judged both ways contradict each other, in whatever order they are stored."""
    assert reasons(("t", "A", "B", "a"), ("t", "A", "B", "b")) == ["cycle", "cycle"]
    assert reasons(("t", "A", "B", "a"), ("t", "B", "A", "a")) == ["cycle", "cycle"]
    assert reasons(("t", "A", "B", "a"), ("t", "B", "A", "b"), ("t", "A", "B", "a")) == [None, None, None]


def test_cycles_do_not_cross_text_groups():
    """The same sample id under another text is another node."""
    assert reasons(("t1", "A", "B", "a"), ("t2", "B", "C", "a"), ("t3", "C", "A", "a")) == [None, None, None]


def test_no_verdict_is_no_edge():
    """A tied comparison neither closes a cycle nor drops."""
    assert reasons(("t", "A", "B", "a"), ("t", "B", "C", "a"), ("t", "C", "A", None)) == [None, None, None]
    assert reasons(("t", "A", "B", None)) == [None]


def test_empty_ids_are_ids():
    """A table whose ids are all empty strings compares a sample with itself."""
    assert reasons(("", "", "", "a"), ("", "", "", None)) == ["cycle", None]


def test_empty_table():
    """No comparisons, no reasons, no evidence."""
    table = comparisons()
    found = Cycles().reasons(table)
    assert found.to_pylist() == []
    assert Cycles().evidence(table, found).to_pylist() == []


@pytest.mark.parametrize("row", [("t", "A", "B", "A"), ("t", "A", "B", "tie")])
def test_odd_verdict_is_an_error(row):
    """A verdict other than a, b, null is refused with row and value."""
    with pytest.raises(DataError, match=f"row 1: '{row[3]}'"):
        reasons(("t", "A", "C", "a"), row)


def test_null_sample_is_an_error():
    """A comparison of nobody is refused, not hashed."""
    with pytest.raises(DataError, match="sample_b, row 0"):
        reasons(("t", "A", None, "a"))


# Ids as contracts.ids makes them, short ones, empty ones, and ones that differ in their last byte only.
NAMES = st.sampled_from([*"ABCDEFG", "", "sample-0001-human", "sample-0001-humao", *(row_id("sample", n) for n in range(6))])
ROWS = st.lists(
    st.tuples(st.sampled_from(["t1", "t2", "text-number-three"]), NAMES, NAMES, st.sampled_from(["a", "b", None])), max_size=60
)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_same_as_networkx(rows):
    """An edge drops exactly if networkx finds both ends in one strongly connected component of its group's graph."""
    expected = []
    graphs = {}
    for group, a, b, verdict in rows:
        graph = graphs.setdefault(group, nx.DiGraph())
        if verdict:
            graph.add_edge(*((a, b) if verdict == "a" else (b, a)))
    component = {
        (group, node): (group, number)
        for group, graph in graphs.items()
        for number, nodes in enumerate(nx.strongly_connected_components(graph))
        for node in nodes
    }
    for group, a, b, verdict in rows:
        expected.append("cycle" if verdict and component[group, a] == component[group, b] else None)
    assert reasons(*rows) == expected


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_every_dropped_pair_has_a_true_witness(rows):
    """The evidence of a dropped row is a closed walk of real comparisons of its group that goes through the row itself."""
    table = comparisons(*rows)
    found = Cycles().reasons(table)
    evidence = Cycles().evidence(table, found).to_pylist()
    for number, (reason, text) in enumerate(zip(found.to_pylist(), evidence, strict=True)):
        if reason is None:
            assert text is None
            continue
        witness = json.loads(text)
        assert f"p{number}" in witness["pairs"]
        assert len(set(witness["samples"])) == len(witness["samples"]) == len(witness["pairs"])
        steps = zip(witness["samples"], witness["samples"][1:] + witness["samples"][:1], witness["pairs"], strict=True)
        for winner, loser, pair in steps:
            group, a, b, verdict = rows[int(pair[1:])]
            assert group == rows[number][0]
            assert (winner, loser) == ((a, b) if verdict == "a" else (b, a))


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_and_sides_do_not_matter(rows, random):
    """Shuffling rows, or swapping A and B together with the verdict, drops the same comparisons."""
    expected = reasons(*rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    turned = [(g, b, a, {"a": "b", "b": "a", None: None}[v]) for g, a, b, v in (rows[n] for n in order)]
    assert reasons(*turned) == [expected[n] for n in order]


def test_chunks_and_slices():
    """A table of several chunks, and a slice of one, give what one piece gives."""
    rows = [("t", row_id("s", n % 5), row_id("s", (n + 1) % 5), "a") for n in range(8)] + [
        ("t", row_id("s", 7), row_id("s", 0), "a")
    ]
    whole = comparisons(*rows)
    expected = Cycles().reasons(whole).to_pylist()
    assert Cycles().reasons(pa.concat_tables([whole[:4], whole[4:]])).to_pylist() == expected
    assert Cycles().reasons(pa.concat_tables([whole[:2], whole])[2:]).to_pylist() == expected
