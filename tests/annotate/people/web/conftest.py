"""One listening test per test."""

from pathlib import Path

import pytest

from tests.annotate.people.web import sites


@pytest.fixture
def opened(tmp_path: Path):
    """A UniSRM test of six pairs whose clock stands still."""
    made = sites.open_site(tmp_path, clock=sites.Clock())
    made.store.add_items(sites.items(made.blobs, 6))
    yield made
    made.store.close()


@pytest.fixture
def ann(opened: sites.Opened) -> sites.Listener:
    """A listener who is ready to listen."""
    return sites.Listener(opened, opened.invite("Ann")).prepare()
