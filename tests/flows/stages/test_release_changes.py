"""Two builds of one workspace: what the second tells of rows that the first released, and `diff` of both."""

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from contracts.schemas import FAILURES
from corpora.dummies import rated_manifest
from flows.entry.cli import app
from flows.run.kind import stages_of
from flows.run.marks import finished
from flows.run.pipeline import open_build
from flows.stages.release import release_of
from flows.views.gone_rows import NOT_MADE, reasons_of
from tests.flows.small import run

SPLITS = {
    "train": {"fraction": 1.0, "where": {"corpus_split": ["train"]}},
    "bench": {"quota": 50, "where": {"corpus_split": ["test"]}},
}


def built(folder: Path, version: str) -> str:
    """Build the corpus that is there, and return the release."""
    recipe = {
        "kind": "rated_pairs",
        "name": "rated",
        "corpora": [{"name": "mos", "reader": "manifest", "root": "mos", "options": {"text": "optional"}}],
        "scale": "mos",
        "splits": {"sets": SPLITS},
        "release": {"version": version},
    }
    (folder / "r.yaml").write_text(yaml.safe_dump(recipe))
    opened = open_build(folder / "r.yaml", str(folder / "ws"))
    with opened.workspace.lock():
        run(opened, "release")
    return release_of(opened)


def note_of(folder: Path) -> list[str]:
    """Return what the last build noted of its release."""
    opened = open_build(folder / "r.yaml", str(folder / "ws"))
    (stage,) = [stage for stage in stages_of(opened) if stage.name == "release"]
    return [note for note in finished(stage, opened).notes if "the release before" in note]


def rows_of(release: str) -> pd.DataFrame:
    """Return the released rows by id, with their split."""
    tables = []
    for file in sorted(Path(release).glob("*/*.parquet")):
        columns = ["pair_id", "label", "source_id_a", "source_id_b"]
        tables.append(pq.read_table(file, columns=columns).to_pandas().assign(split=file.name.partition("-")[0]))
    return pd.concat(tables).set_index("pair_id")


def rated_again(folder: Path, change) -> None:
    """Change the single ratings: ``change(row)`` returns the row, or None."""
    path = folder / "mos" / "ratings.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in map(change, rows) if row is not None)


@pytest.fixture
def two(tmp_path, in_this_process):
    """Build twice; in between, raters of the bench turn: the best of its clips becomes the worst, and the others equal."""
    rated_manifest(tmp_path / "mos", contents=8, systems=3, raters=4)
    first = built(tmp_path, "0.1.0")
    bench = rows_of(first).query("split == 'bench'")
    clips = {*bench["source_id_a"], *bench["source_id_b"]}
    best = pd.read_csv(tmp_path / "mos" / "ratings.csv").groupby("id")["score"].mean()[[*clips]].idxmax()
    rated_again(tmp_path, lambda row: row | ({"score": "1" if row["id"] == best else "3"} if row["id"] in clips else {}))
    return first, built(tmp_path, "0.2.0"), tmp_path


def test_a_lost_and_a_relabelled_bench_row_are_named(two):
    first, second, folder = two
    was, now = rows_of(first), rows_of(second)
    gone = sorted(set(was.index) - set(now.index))
    flipped = sorted(one for one in set(was.index) & set(now.index) if was.loc[one, "label"] != now.loc[one, "label"])
    assert gone
    assert flipped
    (note,) = note_of(folder)
    names = [Path(one).name for one in (first, second)]
    assert note.startswith(f"since the release before, {' -> '.join(names)}: {len(gone)} gone, {len(flipped)} relabelled, ")
    assert f"bench {len(gone)} gone ({', '.join(gone)})" in note
    assert f"bench {len(flipped)} relabelled ({', '.join(flipped)})" in note
    built_again = CliRunner().invoke(app, ["build", str(folder / "r.yaml"), "--workspace", str(folder / "ws")])
    assert built_again.exit_code == 0, built_again.output
    assert built_again.stderr.count(f"unisrm-data: {note}\n") == 1


def diff(folder, *arguments):
    return CliRunner().invoke(app, ["diff", *arguments, "--workspace", str(folder / "ws")])


def test_diff_tells_what_changed_and_why_a_row_went(two):
    first, second, folder = two
    (gone,) = set(rows_of(first).index) - set(rows_of(second).index)
    told = diff(folder, first, second, "--json", "--recipe", str(folder / "r.yaml"))
    assert told.exit_code == 0, told.output
    found = {change["what"]: change for change in json.loads(told.stdout)["changes"]}
    assert [*found] == ["gone", "relabelled", "changed"]
    assert found["gone"]["reasons"] == {"tied_totals: tied_totals": 1}
    assert found["gone"]["reason_of"] == {gone: "tied_totals: tied_totals"}
    assert set(found["changed"]["columns"]) <= {"rating_a", "rating_b", "rating_gap", "rating_std_a", "rating_std_b"}
    assert diff(folder, first, str(folder / "r.yaml"), "--json").stdout == told.stdout
    shown = diff(folder, first, str(folder / "r.yaml"))
    assert f"{gone} (tied_totals: tied_totals)" in shown.stdout
    assert "other file that differs: README.md\n" in shown.stdout
    assert "reasons" not in shown.stdout
    nothing = diff(folder, second, second)
    name, rows = Path(second).name, len(rows_of(second))
    assert (nothing.exit_code, nothing.stdout) == (0, f"{name} -> {name}: no row differs, {rows} the same\n")
    other = diff(folder, second, first, "--recipe", str(folder / "r.yaml"))
    assert other.exit_code != 0
    assert f"r.yaml released {name} last, not {Path(first).name}" in str(other.exception)


def test_the_note_outlives_a_killed_build_and_says_that_the_release_before_is_gone_or_damaged(two):
    """The stage is done again where its mark is not there: what it notes does not depend on who published the release."""
    first, second, folder = two
    (note,) = note_of(folder)
    mark = folder / "ws" / "stages" / "release.json"
    shard = next(Path(first).glob("*/bench-*.parquet"))
    for harm, told in (
        (lambda: None, note),
        (lambda: shard.write_bytes(b"PAR1"), f"{Path(first).name}, was not compared with the new one: {shard}"),
        (lambda: shutil.rmtree(first), "is not there any more: it was not compared"),
    ):
        harm()
        mark.unlink()
        assert built(folder, "0.2.0") == second
        (found,) = note_of(folder)
        assert told in found


def test_reasons_of_rows_that_no_filter_dropped(two):
    """Of a pair that nobody makes, those of the corpus's dev, which is no split, one that failed; none of what is there."""
    _, second, folder = two
    build = open_build(folder / "r.yaml", str(folder / "ws"))
    pairs = {row["pair_id"]: row for row in build.tables.read("pairs").to_pylist()}
    there = {*rows_of(second).index, next(iter(pairs.values()))["sample_a"]}
    unassigned = set(pairs) - there - set(build.tables.read("drops@filters")["row_id"].to_pylist())
    expected = {"nobody": NOT_MADE} | dict.fromkeys(unassigned, "assign: ineligible")
    assert reasons_of(build, ["nobody", *unassigned, *there]) == expected
    one = min(there)
    failed = {"failure_id": "f", "stage": "judgments", "row_id": "j", "subject_id": one, "reason": "refused", "message": ""}
    with build.workspace.lock():
        build.tables.append("failures@judgments", pa.Table.from_pylist([failed], schema=FAILURES))
    assert reasons_of(build, [one]) == {one: "judgments failed: refused"}
