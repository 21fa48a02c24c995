"""Fixtures of the tests of asking."""

from pathlib import Path

import pytest

from tests.annotate.batch_provider import Provider
from tests.annotate.live_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(path=tmp_path / "ledger.sqlite")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def provider() -> Provider:
    return Provider()
