"""What the tests of flows share: one embedded Ray cluster, and a data set that is built up to its pairs."""

import contextlib
import shutil

import pytest

from flows.run.cluster import cluster
from flows.run.pipeline import open_build
from tests.annotate import gemini_server
from tests.annotate.replies import answer
from tests.flows.small import corpus, recipe, run, without_ray

PLANTED = dict.fromkeys(
    (
        "GEMINI_API_KEY",
        "OPENAI_API_KEY",
        "GOOGLE_API_KEY",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "UNISRM_LISTENING_SECRET",
        "UNISRM_LEDGER",
        "OUR_LLM",
        "AWS_SECRET_ACCESS_KEY",
    ),
    "planted",
)
"""Environment in which the cluster is started: keys that nobody in it may have, and the one of the bucket."""


@pytest.fixture(scope="session")
def ray_cluster():
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        for name, value in PLANTED.items():
            patch.setenv(name, value)
        started = stack.enter_context(cluster(cpus=2, secrets={"OUR_LLM"}))
        patch.undo()
        yield started


@pytest.fixture(scope="session")
def paired(tmp_path_factory):
    """A folder with the plain corpus, and a workspace in which the plain recipe is built up to its pairs; to be copied."""
    folder = tmp_path_factory.mktemp("paired")
    corpus(folder / "corpus", [])
    with without_ray():
        run(open_build(recipe(folder), str(folder / "ws")))
    return folder


@pytest.fixture
def paired_copy(paired, tmp_path):
    """A copy of it in the test's own folder, as if the corpus had moved there."""
    shutil.copytree(paired, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def in_this_process():
    """Fan-outs work in this process, where they are not what is tested."""
    with without_ray():
        yield


@pytest.fixture(scope="module")
def judged(tmp_path_factory, paired):
    """A workspace in which all is done up to the judgments; the judge is a server that speaks Gemini's format."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(paired, folder, dirs_exist_ok=True)
    with gemini_server.serving(text=answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GEMINI_API_KEY", "canary-key-7431")
        judge = {"options": {"base_url": server.url, "backoff_s": 0.01}}
        path = recipe(folder, judge=judge)
        run(open_build(path, str(folder / "ws")), "judgments")
        yield folder, judge


@pytest.fixture
def opened(judged, tmp_path):
    """Return a build over a copy of that workspace, by what its recipe says differently."""
    folder, judge = judged
    shutil.copytree(folder / "ws", tmp_path / "ws")

    def build(**changes):
        (tmp_path / "corpus").exists() or shutil.copytree(folder / "corpus", tmp_path / "corpus")
        said = {"corpora": [{"name": "austen", "reader": "manifest", "root": str(folder / "corpus")}], "judge": judge}
        return open_build(recipe(tmp_path, **(said | changes)), str(tmp_path / "ws"))

    return build
