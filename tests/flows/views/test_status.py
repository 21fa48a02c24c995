"""Status: what a stage has done so far."""

import pyarrow as pa
import pytest

from contracts.errors import BooksError
from contracts.failures import failure
from contracts.schemas import FAILURES
from flows.run.pipeline import open_build
from flows.stages.recordings import _wanted_utterances, recording_requests
from flows.views.status import status_of
from tests.flows.small import corpus, recipe, run


def test_a_stage_that_only_failed_so_far_has_begun(tmp_path, monkeypatch):
    """Failures are shown as soon as they are there, not only beside the first success."""
    corpus(tmp_path / "corpus", [])
    build = open_build(recipe(tmp_path), str(tmp_path / "ws"))
    for stage in ("prompts", "recordings"):
        monkeypatch.setattr(
            f"flows.stages.{stage}.do_missing", lambda *_: None
        )  # as if it had been killed before the first recording
    with pytest.raises(BooksError):
        run(build, "recordings")
    wanted = recording_requests(build, _wanted_utterances(build))
    first = wanted.to_pylist()[0]
    lost = failure("recordings", first["row_id"], first["subject_id"], "undecodable", "no audio")
    build.tables.append("failures@recordings", pa.Table.from_pylist([lost], schema=FAILURES))
    row = next(row for row in status_of(build) if row["stage"] == "recordings")
    assert (row["state"], row["in"], row["out"], row["failed"]) == ("running", wanted.num_rows, 0, {"undecodable": 1})
    assert row["missing"] == wanted.num_rows - 1
