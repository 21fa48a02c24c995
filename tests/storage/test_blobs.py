"""Blobs: what goes in comes out, and damage is noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from contracts.errors import DamagedPart
from storage.blobs import BlobStore
from storage.workspace import Workspace


@given(arrays(np.int16, st.integers(1, 2000)), st.sampled_from([8000, 16000, 24000, 48000]))
def test_pcm_survives_exactly(pcm, rate):
    """FLAC is lossless: every sample and the rate come back, and the id depends on nothing else."""
    store = BlobStore(Workspace("memory://blobs"))
    back, back_rate = store.pcm(store.put(pcm, rate))
    assert np.array_equal(back, pcm)
    assert back_rate == rate


def test_a_missing_or_changed_clip_is_named():
    """The message names the file."""
    workspace = Workspace("memory://damaged")
    store = BlobStore(workspace)
    one, two = (store.put(np.full(100, value, dtype=np.int16), 16000) for value in (1, 2))
    workspace.write(store.name(one), store.encoded(two))
    with pytest.raises(DamagedPart, match=rf"{one}.flac was changed"):
        store.pcm(one)
    workspace.write(store.name(one), b"fLaC")
    with pytest.raises(DamagedPart, match="does not decode"):
        store.pcm(one)
    workspace.remove(store.name(one))
    with pytest.raises(DamagedPart, match=rf"audio {one} is missing"):
        store.pcm(one)
