"""The stage ``audit`` over small tables: what it looks at and says; and pairs that leave where a recipe rebalances."""

import json

import numpy as np
import pytest
import yaml

from contracts.errors import DataError, RecipeError
from contracts.joins import among
from contracts.schemas import LABELS, METRICS, PAIRS, PROMPTS, RULINGS, SAMPLES, SPLITS, WANTED
from flows.recipe.load import load
from flows.recipe.sections import Rebalance
from flows.run.pipeline import open_build
from flows.stages import filters
from flows.stages.audit import STAGE
from flows.stages.audit_tables import shortcut_tables
from flows.stages.rebalance import rebalanced
from flows.stages.splits import splits_table
from tests.rows import rows

TEXTS = 60


def recipe(folder, **changes):
    literals = {
        "kind": "rated_pairs",
        "name": "audited",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos"}],
        "scale": "mos",
        "metrics": [{"name": "prosody"}],
        "splits": {"fractions": {"train": 0.7, "test": 0.3}},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(literals | changes))
    return folder / "r.yaml"


@pytest.fixture
def build(tmp_path):
    return open_build(recipe(tmp_path), str(tmp_path / "ws"))


def fill(build, *, louder=0.0, real=False, longer_text=False):
    """Write pairs of two systems, three of each text; the chosen clip may be louder, real, or say more."""
    draw = np.random.default_rng(4)
    prompts, samples, metrics, pairs, labels, splits = [], [], [], [], [], []
    for text in range(TEXTS):
        prompts.append({"prompt_id": f"p{text}", "group_id": f"g{text}", "text": "a few words"})
        for take in range(3):
            label, name = draw.choice(["a", "b"]), f"{text}-{take}"
            for side in ("a", "b"):
                chosen = side == label
                samples.append(
                    {
                        "sample_id": f"s{name}{side}",
                        "prompt_id": f"p{text}",
                        "system": "far" if draw.random() < 0.5 else "near",
                        "duration_s": draw.uniform(2, 6),
                        "loudness_lufs": -26 + draw.normal(0, 1) + louder * chosen,
                        "is_synthetic": not chosen if real else bool(draw.random() < 0.5),
                        "spoken_text": "a few words and one" if longer_text and chosen else None,
                    }
                )
                values = [("f0_median_hz", draw.normal(150, 30)), ("pause_share", None), ("hnr_db", 10.0 * chosen)]
                metrics.append({"metric_key": f"m{name}{side}", "sample_id": f"s{name}{side}", "values": values})
            pairs.append({"pair_id": name, "prompt_id": f"p{text}", "sample_a": f"s{name}a", "sample_b": f"s{name}b"})
            labels.append({"item_id": name, "label": str(label)})
            split = "test" if text % 3 == 0 else "train"
            splits.append({"item_id": name, "group_id": f"g{text}", "leakage_group": f"g{text}", "split": split})
    for table, schema, given in (
        ("prompts", PROMPTS, prompts),
        ("pairs", PAIRS, pairs),
        ("labels", LABELS, labels),
        (splits_table(build), SPLITS, splits),
        ("wanted@samples", WANTED, [{"row_id": sample["sample_id"], "part": 0} for sample in samples]),
        ("wanted@metrics", WANTED, [{"row_id": one["metric_key"], "part": 0} for one in metrics]),
    ):
        build.tables.replace(table, rows(schema, *given))
    build.tables.append("samples", rows(SAMPLES, *samples))
    build.tables.append("metrics", rows(METRICS, *metrics))


def found(build, split=None):
    return {row["told_by"] for row in build.tables.read("audit").to_pylist() if row["is_found"] and row["split"] == split}


def test_clean_pairs_have_no_shortcut(build):
    """HNR goes with every label here, but it is quality, and no nuisance."""
    fill(build)
    books = STAGE.run(build)
    assert found(build) == found(build, "train") == found(build, "test") == set()
    assert (books.rows_in, books.rows_out) == (180, 180)
    assert books.notes[0].startswith("no shortcut in 6 features; without listening which clip is chosen is told in ")
    rows_of = {(row["told_by"], row["split"]): row for row in build.tables.read("audit").to_pylist()}
    assert {name for name, _ in rows_of} == {
        "position", "duration_s", "loudness_lufs", "text_length", "f0_median_hz", "pause_share",
        "is_synthetic", "system=far", "system=near", "not_listening",
    }  # fmt: skip
    assert rows_of["pause_share", None]["items"] == 0, "nobody measured it"
    assert rows_of["duration_s", "test"]["items"] == 60


def test_planted_shortcuts_are_named_on_the_card_and_in_the_report(build):
    fill(build, louder=6.0, real=True)
    (note,) = STAGE.run(build).notes
    assert note.startswith("shortcuts: loudness_lufs (")
    assert "; origins that tell: is_synthetic (0.0 %); " in note
    assert found(build) == {"loudness_lufs", "is_synthetic", "not_listening"}
    assert {"loudness_lufs", "is_synthetic"} <= found(build, "train") & found(build, "test")
    (card,) = shortcut_tables(build, in_full=False)
    assert ["which clip is chosen", "is_synthetic", "all", 180, 180, "0.0 %"] in [row[:6] for row in card.rows]
    assert {row[2] for row in card.rows if row[-1] == "no"} == {"all"}
    (report,) = shortcut_tables(build, in_full=True)
    assert len(report.rows) == 3 * 9 + 2
    assert note in card.note
    assert "bandwidth_hz (metric acoustics)" in card.note
    assert "pause_share (metric" not in card.note


def test_the_same_tables_give_the_same_findings(build):
    fill(build, louder=1.0)
    STAGE.run(build)
    before = build.tables.read("audit")
    STAGE.run(build)
    assert build.tables.read("audit").equals(before)


def test_pools_are_looked_at_clip_by_clip(build):
    """Two leakage groups could prove nothing: what all pairs of a clip add is turned, and the line says what was left out."""
    fill(build, louder=6.0)
    table = build.tables.read(splits_table(build)).to_pylist()
    build.tables.replace(splits_table(build), rows(SPLITS, *({**row, "leakage_group": row["split"]} for row in table)))
    (note,) = STAGE.run(build).notes
    assert note.startswith("shortcuts: loudness_lufs (")
    assert note.endswith("; too few leakage groups for a classifier that does not listen")
    assert found(build) == {"loudness_lufs"}


def test_what_could_not_be_found_is_not_called_absent(build):
    """Six pairs that the louder clip always wins: their labels have 64 exchanges, and none would be one in a hundred."""
    fill(build, louder=6.0)
    table = build.tables.read(splits_table(build)).to_pylist()
    first = {row["group_id"]: row for row in table}
    build.tables.replace(splits_table(build), rows(SPLITS, *list(first.values())[:6]))
    (note,) = STAGE.run(build).notes
    assert note.startswith("too few independent items to find a shortcut in 6 features; ")
    assert found(build) == set()


def test_differences_that_nobody_hears_are_none(build):
    """The chosen clip is always louder by 0.02 LU, in clips that all have one loudness."""
    fill(build)
    samples = build.tables.read("samples").to_pylist()
    chosen = {f"s{row['item_id']}{row['label']}" for row in build.tables.read("labels").to_pylist()}
    for row in samples:
        row["loudness_lufs"] = -26.03 + 0.02 * (row["sample_id"] in chosen)
    build.tables.replace("samples", rows(SAMPLES, *samples))
    STAGE.run(build)
    (loudness,) = (
        row for row in build.tables.read("audit").to_pylist() if row["told_by"] == "loudness_lufs" and row["split"] is None
    )
    assert (loudness["differing"], loudness["is_found"]) == (0, False)


def test_rebalanced_pairs_pass_the_audit(build):
    """Drops name the feature; what stays is told by nothing."""
    fill(build, louder=1.0, longer_text=False)
    labels = build.tables.read("labels")
    STAGE.run(build)
    assert found(build) >= {"loudness_lufs"}
    kept, drops = rebalanced(build, labels, Rebalance(features=("loudness_lufs", "system")))
    assert kept.num_rows + drops.num_rows == labels.num_rows
    assert set(drops["reason"].to_pylist()) == {"rebalanced"}
    evidence = [json.loads(text) for text in drops["evidence"].to_pylist()]
    assert {one["feature"].partition("=")[0] for one in evidence} >= {"loudness_lufs"}
    assert {one["chosen_has"] for one in evidence} <= {"more", "less"}
    build.tables.replace(splits_table(build), among(build.tables.read(splits_table(build)), "item_id", kept["item_id"]))
    STAGE.run(build)
    assert found(build) == set()


def test_a_recipe_that_rebalances_drops_pairs_before_the_splits(tmp_path):
    """By the stage ``filters``, after all filters, in balanced books; without the key all labelled pairs stay."""
    dropped = {}
    for section in (None, {"features": ["loudness_lufs"]}):
        folder = tmp_path / str(section is not None)
        folder.mkdir()
        build = open_build(recipe(folder, **({"rebalance": section} if section else {})), str(folder / "ws"))
        fill(build, louder=1.0)
        better = [
            {"pair_id": row["item_id"], "verdict": row["label"], "total_a": float(row["label"] == "a"), "total_b": 0.5}
            for row in build.tables.read("labels").to_pylist()
        ]
        build.tables.replace("rulings", rows(RULINGS, *better))
        books = filters.STAGE.run(build).balanced()
        dropped[section is not None] = books.dropped
        assert build.tables.num_rows("labels") == books.rows_out == 180 - sum(books.dropped.values())
        assert {row["filter"] for row in build.tables.read("drops@filters").to_pylist()} == (
            {"rebalance"} if section else set()
        )
    assert dropped[False] == {}
    assert 0 < dropped[True]["rebalanced"] < 180


def test_pairs_that_all_tell_the_same_way_cannot_be_balanced(build):
    fill(build, real=True)
    with pytest.raises(DataError, match="none of 180 pairs would be left, as is_synthetic tell all labels the same way"):
        rebalanced(build, build.tables.read("labels"), Rebalance(features=("is_synthetic",)))


def test_no_labels_are_no_error(build):
    """What is empty here is told by stages that say why."""
    fill(build)
    kept, drops = rebalanced(build, LABELS.empty_table(), Rebalance(features=("position",)))
    assert (kept.num_rows, drops.num_rows) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rebalance": {"features": ["bandwidth_hz"]}}, "nothing measures 'bandwidth_hz': add metrics: acoustics"),
        ({"rebalance": {"features": ["hnr_db"]}}, "nothing measures 'hnr_db'; known: position, duration_s"),
        ({"rebalance": {"features": []}}, "rebalance.features"),
        ({"rebalance": {"features": ["system"], "bound": 1.0}}, "rebalance.bound"),
    ],
)
def test_a_recipe_names_features_that_are_there(tmp_path, changes, says):
    with pytest.raises(RecipeError, match=says):
        load(recipe(tmp_path, **changes))


def test_a_recipe_without_the_key_is_the_recipe_that_it_was(tmp_path):
    assert "rebalance" not in load(recipe(tmp_path)).model_dump()
    said = load(recipe(tmp_path, rebalance={"features": ["f0_median_hz"]})).model_dump()["rebalance"]
    assert said == {"features": ("f0_median_hz",), "bound": 0.5}
