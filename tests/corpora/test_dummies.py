"""The builder of rated clips that tests and demonstrations use."""

import statistics

import pyarrow as pa
import pytest

from contracts import plugins
from corpora.dummies import rated_manifest


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rated_clips_are_read_and_ratings_follow_quality(tmp_path):
    """Every row is usable, means are those of the ratings, and a better system has a higher mean over the contents."""
    folder = rated_manifest(tmp_path / "corpus", contents=4, systems=3, raters=5, scale="naturalness", seed=1)
    reader = plugins.configure("corpus", "manifest", {"text": "optional"})
    rows = pa.Table.from_batches(reader.read(str(folder))).to_pylist()
    assert len(rows) == 12
    assert {row["problem"] for row in rows} == {None}
    assert {(row["content_id"], row["system"]) for row in rows} == {
        (f"c{c}", f"s{s}") for c in range(1, 5) for s in range(1, 4)
    }
    assert {row["content_id"]: row["split"] for row in rows} == {"c1": "train", "c2": "train", "c3": "dev", "c4": "test"}
    means = dict[str, list[float]]()
    for row in rows:
        mean, *scores = row["ratings"]
        values = [rating["score"] for rating in scores]
        assert [rating["rater"] for rating in scores] == ["r1", "r2", "r3", "r4", "r5"]
        assert (mean["scale"], mean["rater"], mean["raters"]) == ("naturalness", None, 5)
        assert mean["score"] == pytest.approx(statistics.mean(values))
        assert mean["std"] == pytest.approx(statistics.stdev(values))
        means.setdefault(row["system"], []).append(mean["score"])
    best, middle, worst = (statistics.mean(means[system]) for system in ("s1", "s2", "s3"))
    assert best > middle > worst


def test_the_seed_decides_every_byte(tmp_path):
    """The same arguments give the same files; another seed other sounds and ratings."""
    first, again, other = (
        files(rated_manifest(tmp_path / name, contents=2, systems=2, seed=seed))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)
    with pytest.raises(ValueError, match="1 or more"):
        rated_manifest(tmp_path / "none", contents=0)
