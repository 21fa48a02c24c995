"""A local server that speaks the Hub's wire form, and a release to push to it."""

import time
from types import SimpleNamespace

import huggingface_hub._upload_pipeline
import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest

from tests.flows.exports.hub_server import serving
from tests.flows.exports.pushing import CANARY, released


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    return released(tmp_path_factory.mktemp("release"))


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    # Some requests the client itself tries again, after pauses that no test waits for.
    hurried = SimpleNamespace(**vars(time) | {"sleep": lambda _: None})
    monkeypatch.setattr(huggingface_hub.utils._http, "time", hurried)
    with serving() as opened:
        yield opened
