"""Builds on a cluster of two nodes with their workspace in a bucket: the release of one machine, whatever is killed.

Ray, Prefect, the engines and the object store are real; a node is a session of processes on this machine.
"""

import signal
from collections import Counter
from dataclasses import dataclass

import pytest

from annotate.models.ledger.ledger import Ledger
from storage.store_errors import STORE_ADVICE
from storage.workspace import Workspace
from tests.e2e.hits import Ended, Judge, Prepared, Running, digests
from tests.flows.ray_nodes import RayNodes, ray_nodes, wait_until
from tests.storage import object_stores
from tests.storage.object_stores import BUCKET, Server, leading_to, make_bucket, seaweedfs

pytestmark = pytest.mark.e2e


@dataclass(kw_only=True)
class Site:
    """What builds need: a bucket, a judge, a ledger and a Prefect server."""

    prepared: Prepared
    store: Server
    api: dict[str, str]

    @property
    def judge(self) -> Judge:
        """The paid judge's far end."""
        return self.prepared.judge

    def url(self, name: str) -> str:
        """Return the URL of a workspace."""
        return f"s3://{BUCKET}/{name}"

    def copy(self, stage: str, name: str) -> None:
        """Put a workspace there in which everything before a stage is done."""
        for path in sorted((before := self.prepared.folder / f"before {stage}").rglob("*")):
            if path.is_file():
                Workspace(self.url(name)).put_file(path, path.relative_to(before).as_posix())

    def build(self, name: str, nodes: RayNodes | None = None) -> Running:
        """Start a build in a workspace of that name, which has a ledger of its own; on a cluster if one is given."""
        ledger = {"UNISRM_LEDGER": str(self.prepared.folder / f"{name}.sqlite")}
        environment = self.api | object_stores.environment(self.store.endpoint) | ledger
        if nodes is None:
            return Running(self.prepared, self.url(name), **environment)
        return Running(self.prepared, self.url(name), "--ray", nodes.address, **environment, **nodes.environment)

    def owed_usd(self, name: str) -> float:
        """Return what the books of a build say."""
        with Ledger(str(self.prepared.folder / f"{name}.sqlite"), account="tiny") as ledger:
            return ledger.owed_usd()

    def asked_again(self, before: Counter[str]) -> int:
        """Return how many requests the judge has answered more than once."""
        return sum(count - 1 for count in (self.judge.server.answered - before).values())


@pytest.fixture(scope="module")
def site(tmp_path_factory, environment, api):
    with Judge.serving() as judge, seaweedfs() as store:
        prepared = Prepared.make(tmp_path_factory.mktemp("nodes"), judge, environment)
        with leading_to(store.endpoint):
            yield Site(prepared=prepared, store=store, api=api)


@pytest.fixture
def nodes(site):
    """Two nodes, of which the head is the first; they have the bucket's credentials and no key of a judge."""
    variables = {"PATH": site.prepared.environment["PATH"], **object_stores.environment(site.store.endpoint)}
    with ray_nodes(2, variables) as started:
        yield started


def assert_whole(site: Site, name: str, ended: Ended) -> None:
    """The build is through, with the release of an undisturbed build on one machine, and left nothing behind."""
    assert (ended.code, ended.lines, ended.left, ended.locked) == (0, [], [], False)
    assert ended.released.startswith(f"{site.url(name)}/releases/")
    assert digests(ended.released) == site.prepared.calm


def test_a_build_outlives_a_node_and_its_own_death(site, nodes):
    """``kill -9``: without one node it carries on on the other; killed itself, the next one finishes what it began."""
    judge, name = site.judge, "node"
    bill, asked = judge.bill_usd, Counter(judge.server.answered)
    judge.delay_s = 0.4
    running = site.build(name, nodes)
    _, second = nodes.nodes
    assert running.wait_until(lambda: nodes.runs_on(second, "flite") or nodes.runs_on(second, "espeak")), running.end()
    nodes.kill(second)
    assert running.wait_until(lambda: judge.answered > sum(asked.values()) + 1), running.end()
    clips = Workspace(site.url(name)).read("tables/samples/manifest.json")
    running.hit(signal.SIGKILL)
    killed = running.end()
    assert (killed.code, killed.left) == (-signal.SIGKILL, [])
    judge.delay_s = 0.0
    assert_whole(site, name, site.build(name, nodes).end(240))
    assert Workspace(site.url(name)).read("tables/samples/manifest.json") == clips, "no clip was made again"
    assert site.asked_again(asked) <= 2, "at most the two requests in flight are asked again"
    assert site.owed_usd(name) >= judge.bill_usd - bill - 1e-9


def test_a_build_without_its_store_ends_in_one_line_and_can_be_repeated(site):
    """``kill -9`` of the object store: what is committed is there when it comes back, and half a file is nowhere."""
    judge, name = site.judge, "store"
    bill, asked = judge.bill_usd, Counter(judge.server.answered)
    site.copy("judgments", name)
    judge.delay_s = 0.4
    running = site.build(name)
    assert running.wait_until(lambda: judge.answered > sum(asked.values()) + 1), running.end()
    ended = without_store(site, running)
    assert (ended.code, len(ended.lines), ended.left) == (2, 1, [])
    assert STORE_ADVICE in ended.lines[0]
    judge.delay_s = 0.0
    assert_whole(site, name, site.build(name).end(240))
    assert site.asked_again(asked) <= 2, "at most the two requests in flight are asked again"
    assert site.owed_usd(name) >= judge.bill_usd - bill - 1e-9


def without_store(site: Site, running: Running) -> Ended:
    """Kill the store, wait for the end of a build, and start the store again."""
    site.store.kill()
    try:
        wait_until(lambda: not running.lives(), 120)
    finally:
        site.store.start()
        make_bucket(site.store.endpoint)
    return running.end()
