"""Pieces of tables: together they are the rows that are wanted, each in the piece of the prompt that it is about."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.conformance import conform
from contracts.errors import DamagedPart
from contracts.schemas import LABELS, PAIRS, PROMPTS, WANTED
from storage import table_pieces, tables
from storage.table_pieces import PieceTables, cut_tables
from storage.tables import TableStore
from storage.workspace import Workspace

ALONG = {
    "prompts": ("prompt_id", "prompts"),
    "wanted@pairs": ("subject_id", "prompts"),
    "pairs": ("prompt_id", "prompts"),
    "labels": ("item_id", "pairs"),
}


def filled(schema, table, **columns):
    """Return rows with these columns; others have one text, or null where they may."""
    count = len(next(iter(columns.values())))
    rest = {field.name: ["x"] * count for field in schema if field.name not in columns and not field.nullable}
    rest = {name: [[]] * count if pa.types.is_list(schema.field(name).type) else values for name, values in rest.items()}
    return conform(pa.table({name: pa.array(v, schema.field(name).type) for name, v in (rest | columns).items()}), table)


@settings(max_examples=25, deadline=None)
@given(
    prompt_of=st.lists(st.integers(0, 5), max_size=40),
    piece_of=st.lists(st.integers(-1, 2), min_size=6, max_size=6),
    unlabelled=st.sets(st.integers(0, 39)),
    unwanted=st.sets(st.integers(0, 39)),
    batch=st.integers(1, 50),
)
def test_every_row_is_in_its_piece(tmp_path_factory, *, prompt_of, piece_of, unlabelled, unwanted, batch):
    folder = tmp_path_factory.mktemp("pieces")
    whole = TableStore(Workspace(str(folder / "ws")))
    pairs = [f"p{number}" for number in range(len(prompt_of))]
    whole.append("prompts", filled(PROMPTS, "prompts", prompt_id=[f"q{n}" for n in range(6)]))
    whole.append("pairs", filled(PAIRS, "pairs", pair_id=pairs, prompt_id=[f"q{n}" for n in prompt_of]))
    labelled = [pair for number, pair in enumerate(pairs) if number not in unlabelled]
    for start in range(0, len(labelled), 7):
        whole.append("labels", filled(LABELS, "labels", item_id=labelled[start : start + 7]))
    placed = [(f"q{n}", piece) for n, piece in enumerate(piece_of) if piece >= 0]
    prompts = pa.table(
        {
            "prompt_id": pa.array([name for name, _ in placed], pa.string()),
            "piece": pa.array([n for _, n in placed], pa.int32()),
        }
    )
    wanted = [pair for number, pair in enumerate(pairs) if number not in unwanted]
    about = [f"q{n}" for pair, n in zip(pairs, prompt_of, strict=True) if pair in wanted]
    whole.append("wanted@pairs", filled(WANTED, "wanted", row_id=wanted, subject_id=about, part=[0] * len(wanted)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_MOST_BATCH_ROWS", batch)
        (folder / "cut").mkdir()
        patch.setattr(table_pieces, "_LOOKED_UP", batch)
        cut_tables(whole, folder / "cut", prompts, ALONG)
    for number in range(3):
        piece = PieceTables(whole, folder / "cut", number, frozenset(ALONG))
        here = [pair for pair, prompt in zip(pairs, prompt_of, strict=True) if piece_of[prompt] == number]
        assert piece.read("pairs").schema == PAIRS
        assert piece.read("pairs")["pair_id"].to_pylist() == here
        assert piece.read("labels", ["item_id"])["item_id"].to_pylist() == [pair for pair in here if pair in labelled]
        assert piece.read("prompts")["prompt_id"].to_pylist() == [f"q{n}" for n in range(6) if piece_of[n] == number]
        assert piece.read("wanted@pairs")["row_id"].to_pylist() == [pair for pair in here if pair in wanted]


@pytest.mark.parametrize("place", ["local", "memory"])
def test_a_damaged_part_is_not_cut(tmp_path, place):
    """Neither a changed one nor one that is gone."""
    whole = TableStore(Workspace(str(tmp_path / "ws") if place == "local" else f"memory://{tmp_path}"))
    whole.append("labels", filled(LABELS, "labels", item_id=["a", "b"]))
    assert [rows["item_id"].to_pylist() for rows in whole.batches("labels")] == [["a", "b"]]
    (part,) = whole.parts("labels")
    name = f"tables/labels/{part.name}"
    data = bytearray(whole.workspace.read(name))
    data[len(data) // 2] ^= 1
    whole.workspace.write(name, bytes(data))
    with pytest.raises(DamagedPart, match="was changed since it was committed"):
        list(whole.batches("labels"))
    whole.workspace.remove(name)
    with pytest.raises(DamagedPart, match="is gone"):
        list(whole.batches("labels"))
