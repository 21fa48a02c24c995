"""Clips, requests, ledgers and a database server for the tests of judging."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from annotate.models.ledger.ledger import Ledger
from storage.blobs import BlobStore
from storage.workspace import Workspace
from tests.annotate import postgres

RATE_HZ = 16000

postgres_server = postgres.postgres_server
"""Defined here alone: a session fixture that several modules import is set up once for each of them."""


@pytest.fixture
def clips(tmp_path: Path) -> BlobStore:
    return BlobStore(Workspace(tmp_path / "workspace"))


@pytest.fixture
def tones(clips: BlobStore) -> list[str]:
    """Audio ids of three clips of half a second, one second and a second and a half."""
    return [
        clips.put((8000 * np.sin(np.arange(RATE_HZ * halves // 2) * 0.1 * halves)).astype(np.int16), RATE_HZ)
        for halves in (1, 2, 3)
    ]


@pytest.fixture
def ledger(tmp_path: Path):
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def request_table(tones: list[str], texts: list[str], **facts: list[float | None]) -> pa.Table:
    """Return one request per text: the first clip is the prompt speech, the second A, the third B."""
    count = len(texts)
    return pa.table(
        {
            "subject_id": [f"p{number}" for number in range(count)],
            "text": texts,
            "language": ["en"] * count,
            "reference_audio_id": [tones[0]] * count,
            "audio_a": [tones[1]] * count,
            "audio_b": [tones[2]] * count,
            **{name: pa.array(values, pa.float64()) for name, values in facts.items()},
        }
    )
