"""``kill -9`` in each long stage, then the same command: the same release, nothing synthesised or paid for twice."""

import collections
import hashlib
import json
import time
from pathlib import Path

import pytest

from storage.tables import TableStore
from storage.workspace import Workspace
from tests.annotate.gemini_server import Answer, card, reply, serving
from tests.e2e.builds import kill_when, orphans, tiny_recipe, unisrm

pytestmark = pytest.mark.e2e

IN_FLIGHT = 2 * 16 + 2 * 32
"""Two workers, each with one batch: festival's sixteen, flite's thirty-two."""


def slowly(_number, prompt):
    return Answer(body=reply(card(prompt)), delay_s=0.05)


def marked(workspace, stage):
    """Tell whether a stage has finished."""
    return (workspace / "stages" / f"{stage}.json").exists()


@pytest.mark.parametrize(
    "stages",
    [
        ("synthesising", "judging"),
        pytest.param(("recording", "synthesising", "measuring", "judging"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def test_killed_builds_end_in_the_same_release(tmp_path, environment, api, call_log, stages):
    """Killed in each of these stages, a build ends byte for byte like one that was left alone."""
    calm, stormy, served = tmp_path / "calm", tmp_path / "stormy", environment | api
    with serving(slowly) as server:
        recipe = tiny_recipe(tmp_path, judge={"options": {"concurrency": 2, "base_url": server.url}})
        release = unisrm(served, "build", recipe, "-w", calm).stdout.strip().splitlines()[-1]
        assert release.startswith("release: ")
        calls_calm = len(call_log.read_text().splitlines())
        asked_calm = len(server.bodies)
        call_log.write_text("")
        server.bodies.clear()
        server.answered.clear()

        total = {table: TableStore(Workspace(calm)).num_rows(table) for table in ("samples", "judgments")}
        store = TableStore(Workspace(stormy))
        moments = {
            "recording": lambda: marked(stormy, "utterances"),  # in the stage prompts, which brings recordings in
            "synthesising": lambda: 6 < store.num_rows("samples") < total["samples"],  # the six human ones come first
            "measuring": lambda: marked(stormy, "samples"),
            "judging": lambda: 0 < len(server.answered) < total["judgments"] // 2,
        }
        kills = [kill_when(environment, moments[stage], "build", recipe, "-w", stormy) for stage in stages]
        last = unisrm(served, "build", recipe, "-w", stormy).stdout.strip().splitlines()[-1]

        assert all(kills), "the build was killed each time"
        assert digests(last) == digests(release)
        assert Path(last.removeprefix("release: ")).name == Path(release.removeprefix("release: ")).name

        repeated = len(call_log.read_text().splitlines()) - calls_calm
        assert 0 <= repeated <= IN_FLIGHT * len({"recording", "synthesising"} & set(stages))
        times = collections.Counter(hashlib.sha256(json.dumps(body["contents"]).encode()).hexdigest() for body in server.bodies)
        again = sum(times.values()) - asked_calm
        assert again <= 2, "at most the two requests in flight are asked again"
        # What was answered and reached the ledger is never asked again: the in-flight ones are the only repeats.
        assert sum(count - 1 for count in times.values()) == again

    wait = time.monotonic() + 20
    while orphans(environment) and time.monotonic() < wait:
        time.sleep(0.5)
    assert orphans(environment) == [], "a killed build leaves no process behind"


def digests(line):
    """Return path -> sha256 of all files of a release."""
    folder = Path(line.removeprefix("release: "))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
