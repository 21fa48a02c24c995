"""Every kind of process of a build is hit: the build ends right or carries on, leaves nothing behind, and loses nothing.

Prefect, Ray and the engines are real; the workspace is prepared up to the stage in question.
"""

import signal
import time
from pathlib import Path

import pytest

from tests.e2e.hits import Judge, Prepared, Running, digests

pytestmark = pytest.mark.e2e

CLEAN_S = 5.0
ENDS = {
    signal.SIGINT: (130, ["unisrm-data: interrupted; the same command carries on where this one stopped"]),
    signal.SIGTERM: (143, ["unisrm-data: terminated; the same command carries on where this one stopped"]),
    signal.SIGKILL: (-signal.SIGKILL, []),
}
"""Exit code and lines on stderr."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, environment):
    with Judge.serving() as judge:
        yield Prepared.make(tmp_path_factory.mktemp("kills"), judge, environment)


@pytest.fixture
def build(prepared, api, request):
    """A build that is just where it is to be hit: ``(running, how to check its end)``."""
    judge, before = prepared.judge, (prepared.judge.bill_usd, prepared.judge.answered)

    def start(stage, **environment):
        judge.delay_s = 0.4
        running = Running(prepared, prepared.copy(stage, request.node.name), **environment)
        moments = {
            "utterances": lambda: running.living("prefect"),
            "samples": lambda: running.living("engine"),
            "judgments": lambda: judge.answered > before[1] + 1,
        }
        assert running.wait_until(moments[stage]), running.end()
        return running

    def check(ended, *, code, lines, within_s):
        workspace = prepared.folder / request.node.name
        assert (ended.code, ended.lines) == (code, lines)
        assert ended.seconds < within_s
        assert ended.left == []
        assert not ended.locked
        judge.delay_s = 0.0
        released = ended.released
        if released is None:
            carried_on = Running(prepared, workspace, **api).end(240)
            assert (carried_on.code, carried_on.lines) == (0, [])
            released = carried_on.released
        assert Path(released).is_relative_to(workspace)
        assert digests(released) == prepared.calm
        assert prepared.owed_usd(workspace) >= judge.bill_usd - before[0] - 1e-9

    return start, check


@pytest.mark.parametrize(
    ("stage", "kind", "number"),
    [
        pytest.param("utterances", "terminal", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("samples", "terminal", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("samples", "driver", signal.SIGTERM, marks=pytest.mark.slow),
        ("judgments", "terminal", signal.SIGINT),
        pytest.param("judgments", "driver", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("judgments", "driver", signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_a_build_that_is_told_to_end_does(build, stage, kind, number):
    """One line and the usual code within five seconds, also by two signals in a row; the next build has the same release."""
    start, check = build
    running = start(stage)
    running.hit(number, kind)
    time.sleep(0.3)
    running.hit(number, kind)
    code, lines = ENDS[number]
    check(running.end(), code=code, lines=lines, within_s=CLEAN_S)


def test_a_build_outlives_its_private_server(build):
    """Killed alone, the private Prefect server comes back, and the build goes on to its release."""
    start, check = build
    running = start("judgments")
    (first,) = running.hit(signal.SIGKILL, "prefect")
    ended = running.end(120)
    assert first.kind == "prefect"
    check(ended, code=0, lines=[], within_s=120)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("raylet", marks=pytest.mark.slow),
        pytest.param("gcs_server", marks=pytest.mark.slow),
        pytest.param("worker", marks=pytest.mark.slow),
        "ray_process",
    ],
)
def test_a_build_outlives_its_ray(build, api, kind):
    """Whatever of Ray is killed: within a minute the build is through, or has ended with one line and has left nothing."""
    start, check = build
    running = start("samples", **api)
    assert running.hit(signal.SIGKILL, kind, all_of_them=True)
    ended = running.end()
    assert ended.code in {0, 2}
    assert len(ended.lines) == 1 if ended.code else len(ended.lines) <= 1, "it may say that it starts Ray again"
    check(ended, code=ended.code, lines=ended.lines, within_s=60)
