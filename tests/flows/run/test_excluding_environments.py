"""Systems whose packages exclude each other, in one data set: on an embedded cluster, and on a cluster of two nodes."""

import json
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest

from contracts.errors import SetupError
from contracts.plugin_environment import Environment
from flows.entry.preflight import check_machine
from flows.run import cluster as cluster_module
from flows.run.cluster import cluster
from flows.run.kind import stages_of
from flows.run.pipeline import open_build, up_to
from flows.run.prepared import prepare_on_cluster
from flows.stages import samples
from flows.views.environment_lines import environment_lines
from storage.environments.environment_cache import FOLDER, all_built
from synth.hosted_engine import placed_engine
from tests.excluding import NEW, OLD, UNSOLVABLE, require_index
from tests.flows.ray_nodes import START_S, ray_nodes, wait_until
from tests.flows.small import corpus, recipe, run

SYSTEMS = [
    {"name": "old", "engine": "piper", "environment": {"requirements": OLD}},
    {"name": "new", "engine": "piper", "environment": {"requirements": NEW}},
    {"name": "ours", "engine": "flite", "voices": ["kal16"]},
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a corpus, and an empty cache of environments."""
    require_index()
    monkeypatch.setenv(FOLDER, str(tmp_path / "environments"))
    corpus(tmp_path / "corpus", [])
    return tmp_path


def systems_of(build):
    """Return system -> versions that spoke, and check that every clip was made."""
    rows = build.tables.read("samples")
    rows = rows.filter(pc.field("is_synthetic"))
    assert build.tables.num_rows("failures@samples") == 0
    found = {}
    for row in rows.select(["system", "engine_version"]).to_pylist():
        found.setdefault(row["system"], []).append(row["engine_version"])
    assert {name: len(versions) for name, versions in found.items()} == dict.fromkeys(build.recipe.engines, 5)
    return {name: set(versions) for name, versions in found.items()}


def assert_both_spoke(build):
    versions = systems_of(build)
    assert [version.split(",")[0] for version in versions["old"]] == ["onnxruntime 1.19.2"]
    assert [version.split(",")[0] for version in versions["new"]] == ["onnxruntime 1.31.0"]
    records = [json.loads(path.read_text()) for path in Path(build.workspace.local_path("environments")).iterdir()]
    numpy = {line for record in records for line in record["packages"] if line.startswith("numpy==")}
    assert "numpy==1.26.4" in numpy
    assert any(line.startswith("numpy==2.") for line in numpy)


def test_systems_that_exclude_each_other_speak_in_one_build(folder, monkeypatch):
    """The plan says what will be built; the build says which version spoke; where it ran is in no key."""
    build = open_build(recipe(folder, systems=SYSTEMS), str(folder / "ws"))
    lines = environment_lines(build)
    assert [line["note"].split(" (")[0] for line in lines] == ["of system old", "of system new"]
    assert all(50 < line["disk_mb"] < 1000 for line in lines)
    check_machine(build, up_to(stages_of(build), "samples"))
    assert len(all_built()) == 2
    assert environment_lines(build) == []
    monkeypatch.setattr(cluster_module, "_running", None)  # workers learn of the cache when their cluster starts
    with cluster(cpus=2):
        run(build, "samples")
    assert_both_spoke(build)
    keys = set(build.tables.read("samples", ["sample_id"])["sample_id"].to_pylist())
    without = [{name: value for name, value in system.items() if name != "environment"} for system in SYSTEMS]
    here = open_build(recipe(folder, systems=without), str(folder / "ws"))
    assert set(samples.sample_requests(here)["row_id"].to_pylist()) == keys
    assert samples.candidate_literals(here) == samples.candidate_literals(build)


def test_a_broken_environment_is_said_before_any_work(folder):
    """All of them at once, with the systems' names: one that cannot be built, one in which the engine lacks something."""
    broken = [
        {"name": "unsolvable", "engine": "flite", "environment": {"requirements": UNSOLVABLE}},
        {"name": "bare", "engine": "piper", "environment": {"requirements": ["numpy==1.26.4"]}},
        {"name": "absent", "engine": "flite", "environment": {"interpreter": str(folder / "python")}},
    ]
    build = open_build(recipe(folder, systems=broken, metrics=[]), str(folder / "ws"))
    with pytest.raises(SetupError) as raised:
        check_machine(build, up_to(stages_of(build), "samples"))
    said = str(raised.value)
    assert "system unsolvable: the environment (numpy==1.26.4, numpy>=2) cannot be built" in said
    assert "system bare: in its environment (numpy==1.26.4): pip install onnxruntime" in said
    assert "system absent: engine flite: its interpreter" in said
    assert not (folder / "ws" / "tables").exists()


DYING = """
import os
from dataclasses import dataclass

from synth.engines.flite import Flite

class Dying:
    def __init__(self, session):
        self.session, self.version = session, session.version

    def render(self, requests):
        for request in requests:
            if {victim!r} in request.text:
                print("a fault in native code", flush=True)
                os.kill(os.getpid(), 11)
            yield from self.session.render([request])

@dataclass(frozen=True, kw_only=True)
class Fragile(Flite):
    def open(self):
        return Dying(super().open())

PLUGIN = Fragile
"""


def test_a_text_that_kills_its_process_costs_one_row(tmp_path, monkeypatch):
    """As where it kills a worker: the batch is halved until it stands alone, and the row has the process's last words."""
    corpus(tmp_path / "corpus", [])
    words = json.loads((tmp_path / "corpus" / "manifest.jsonl").read_text().splitlines()[2])["text"]
    (tmp_path / "plugins" / "engine").mkdir(parents=True)
    (tmp_path / "plugins" / "engine" / "fragile.py").write_text(DYING.format(victim=words))
    monkeypatch.setenv("UNISRM_PLUGINS", "")
    fragile = {"name": "fragile", "engine": "fragile", "voices": ["kal16"], "environment": {"interpreter": sys.executable}}
    path = recipe(tmp_path, systems=[fragile], plugins=str(tmp_path / "plugins"))
    build = open_build(path, str(tmp_path / "ws"))
    monkeypatch.setattr(cluster_module, "_running", None)  # workers learn of the folder when their cluster starts
    with cluster(cpus=1):
        run(build, "samples")
    (lost,) = build.tables.read("failures@samples").to_pylist()
    assert lost["reason"] == "worker_died"
    assert "killed by signal 11: " in lost["message"]
    assert "a fault in native code" in lost["message"]
    assert build.tables.num_rows("samples") == 5 + 4


@pytest.fixture
def two_nodes(tmp_path, monkeypatch):
    """The address of a cluster of two nodes, whose workers keep environments in folders of their own."""
    monkeypatch.setattr(cluster_module, "_START_LIMIT_S", START_S)
    with ray_nodes(0) as nodes:
        for name, value in nodes.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("node1", "node2"):
            nodes.start({FOLDER: str(tmp_path / name)})
        yield nodes.address


def test_systems_that_exclude_each_other_speak_on_a_cluster_of_two_nodes(folder, two_nodes, monkeypatch):
    """Each node builds the environments that its workers need; the driver needs none. A broken one is said before any work."""
    monkeypatch.setattr(cluster_module, "_running", None)
    build = open_build(recipe(folder, systems=SYSTEMS[:2]), str(folder / "ws"), two_nodes)
    with cluster(two_nodes) as running:
        wait_until(lambda: len(running.nodes()) == 2)
        assert check_machine(build, up_to(stages_of(build), "samples")), "this machine lacks nothing that it needs"
        broken = {"system broken": placed_engine("flite", {}, Environment(requirements=tuple(UNSOLVABLE)))}
        with pytest.raises(SetupError, match=r"system broken: the environment .* cannot be built.*unsatisfiable"):
            prepare_on_cluster(broken)
        prepare_on_cluster(build.recipe.placed_engines)
        run(build, "samples")
    assert_both_spoke(build)
    assert all_built() == []
    there = [
        {line for found in in_folder(folder / name, monkeypatch) for line in found.packages} for name in ("node1", "node2")
    ]
    which = [packages & {"onnxruntime==1.19.2", "onnxruntime==1.31.0"} for packages in there]
    assert all(which), "each node had one of the two batches"
    assert len(set.union(*which)) == 2


def in_folder(environments, monkeypatch):
    """Return the environments in another cache."""
    with monkeypatch.context() as patch:
        patch.setenv(FOLDER, str(environments))
        return all_built()
