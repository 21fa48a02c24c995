"""Task 3 on Ray and through the command line: killed while it clones and while it judges, it ends in the same release."""

import hashlib
from pathlib import Path

import pytest
import yaml

from contracts import plugins
from storage.tables import TableStore
from storage.workspace import Workspace
from synth.acted_speech import write
from tests.annotate import openai_server
from tests.annotate.openai_server import Options
from tests.annotate.replies import answer
from tests.e2e.builds import ROOT, kill_when, unisrm

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def files_of(line: str) -> dict[str, str]:
    """Name -> digest of each file of the release that a build's last line names."""
    folder = Path(line.strip().splitlines()[-1].removeprefix("release: "))
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_a_killed_build_of_contrasts_ends_in_the_same_release(tmp_path, environment, api):
    """Nothing is spoken, written or judged twice, but for what was in flight."""
    for engine in ("piper", "flite", "world_transfer"):
        if problem := plugins.configure("engine", engine).missing():
            pytest.skip(problem)
    write(tmp_path / "acted", languages=["en"], sentences=2)
    served = environment | api | {"OPENAI_API_KEY": "sk-test"}
    literals = yaml.safe_load((ROOT / "recipes/unisrm_task3_small.yaml").read_text())
    literals |= {"blocks": 1, "metrics": [], "splits": {"fractions": {"sft": 1.0}}}
    literals["corpora"][0]["root"] = str(tmp_path / "acted")
    with openai_server.serving(Options(latency_s=0.05), answer) as server:
        for section in (literals["judge"], *literals["roles"]):
            section["options"] = section["options"] | {"base_url": server.url, "concurrency": 2}
        recipe = tmp_path / "small.yaml"
        recipe.write_text(yaml.safe_dump(literals))
        calm = files_of(unisrm(served, "build", recipe, "-w", tmp_path / "calm").stdout)
        asked = len(server.bodies)
        store = TableStore(Workspace(tmp_path / "stormy"))
        total = TableStore(Workspace(tmp_path / "calm")).num_rows("samples")

        def is_cloning():
            return 0 < store.num_rows("samples") < total

        def is_judging():
            return asked + asked // 2 < len(server.bodies) < 2 * asked

        kills = [kill_when(served, moment, "build", recipe, "-w", tmp_path / "stormy") for moment in (is_cloning, is_judging)]
        assert all(kills), "the build was killed each time"
        stormy = files_of(unisrm(served, "build", recipe, "-w", tmp_path / "stormy").stdout)
        assert stormy == calm
        assert len(server.bodies) <= 2 * asked + 2 * len(kills), "two are in flight at a kill"
