"""Fixtures of the tests of asking."""

from pathlib import Path

import pytest

from tests.annotate.batch_provider import Provider
from tests.annotate.live_runs import LiveRuns


@pytest.fixture
def runs(tmp_path: Path) -> LiveRuns:
    return LiveRuns(path=tmp_path / "ledger.sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def provider() -> Provider:
    return Provider()
