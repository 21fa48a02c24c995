"""Ids: the same thing has the same id everywhere; different things never share one by accident."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import audio_id, canonical_json, digest, row_id

literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_canonical_json_is_the_published_form():
    """Sorted keys, no white space, no escapes beyond JSON's own (RFC 8785's examples without its number rules)."""
    assert canonical_json({"b": [1, 2.5, None, True], "a": "é\n"}) == '{"a":"é\\n","b":[1,2.5,null,true]}'


@given(st.dictionaries(st.text(), literals, min_size=1))
def test_key_order_does_not_matter(mapping):
    """A dictionary has one digest, in whatever order it was filled."""
    assert digest(mapping) == digest(dict(reversed(mapping.items())))


def test_digest_is_sha256_of_the_canonical_json():
    """Anybody can recompute an id with a hash tool."""
    assert digest(["a", 1]) == hashlib.sha256(b'["a",1]').hexdigest()


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", {1: "a"}, np.float64])
def test_what_is_no_literal_has_no_id(value):
    """An object's repr may hold an address: hashing it would give a new id on every run."""
    with pytest.raises(TypeError):
        digest(value)


def test_nan_has_no_id():
    """NaN is not equal to itself."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


def test_kind_and_parts_are_separate():
    """Moving a character from one part to the next gives another id."""
    assert row_id("pair", "ab", "c") != row_id("pair", "a", "bc") != row_id("pairab", "c")


def test_audio_id_depends_on_samples_and_rate_only():
    """Byte order and memory layout of the array do not matter; rate and samples do."""
    pcm = np.arange(-50, 50, dtype=np.int16)
    assert audio_id(pcm, 16000) == audio_id(np.repeat(pcm, 2)[::2], 16000)
    assert audio_id(pcm, 16000) != audio_id(pcm, 8000)
    assert audio_id(pcm, 16000) != audio_id(pcm[::-1].copy(), 16000)


def test_audio_id_refuses_floats():
    """Only decoded PCM has an id: floats would depend on the decoder."""
    with pytest.raises(TypeError, match="mono int16"):
        audio_id(np.zeros(4, dtype=np.float32), 16000)
