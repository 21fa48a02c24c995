"""One embedded Ray cluster for all tests of fan-outs."""

import pytest

from flows.cluster import cluster


@pytest.fixture(scope="session")
def ray_cluster():
    with cluster(cpus=2):
        yield
