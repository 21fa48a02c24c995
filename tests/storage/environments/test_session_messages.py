"""Messages between interpreters: what goes in comes out, and nothing else is taken for a message."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from contracts.jobs import Failure
from storage.environments.session_messages import MessageError, receive, send
from synth.engine import Reference, RenderRequest, Waveform

KNOWN = {f"{one.__module__}:{one.__name__}": one for one in (Failure, Reference, RenderRequest, Waveform)}


def resolve(name):
    if name not in KNOWN:
        raise MessageError(name)
    return KNOWN[name]


def crossed(message):
    stream = io.BytesIO()
    send(stream, message)
    stream.seek(0)
    answer = receive(stream, resolve)
    assert stream.read() == b""
    return answer


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(literals)
def test_literals_stay_what_they_are(value):
    """Keys that look like our own marks, too."""
    assert crossed({"array": value, "class": value}) == {"array": value, "class": value}


@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.int64, np.uint8, np.bool_, np.dtype(">f4")]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
    )
)
def test_arrays_keep_bits_type_and_shape(array):
    """NaN has bits, too; the order of bytes becomes that of the machine."""
    answer = crossed([array, array])[1]
    assert answer.dtype == array.dtype.newbyteorder("<") or array.dtype.itemsize == 1
    assert answer.shape == array.shape
    np.testing.assert_array_equal(answer, array)
    assert answer.flags.writeable


def test_a_request_crosses_whole():
    """With a reference, whose samples are a view with strides."""
    samples = np.arange(8, dtype=np.float32)[::2]
    request = RenderRequest(
        text="Bäume\u2028木",
        language="en",
        voice="v",
        seed=2**63 - 1,
        reference=Reference(waveform=samples, sample_rate_hz=24000, text=None),
    )
    answer = crossed({"arguments": [[request]]})["arguments"][0][0]
    assert (answer.text, answer.seed, answer.reference.text) == (request.text, request.seed, None)
    np.testing.assert_array_equal(answer.reference.waveform, samples)


def test_numpy_scalars_become_numbers():
    """Metrics return them."""
    assert crossed([np.float32(0.5), np.int64(3)]) == [0.5, 3]


@pytest.mark.parametrize("value", [object(), b"bytes", {1, 2}, np.array(["text"]), np.array([None])])
def test_what_cannot_cross_is_refused(value):
    """Before a byte is written, so that the stream stays readable."""
    stream = io.BytesIO()
    with pytest.raises(MessageError, match="cannot cross"):
        send(stream, [value])
    assert stream.getvalue() == b""


def frame(text, *arrays_):
    data = json.dumps(text).encode()
    lengths = b"".join(struct.pack("<Q", len(array)) for array in arrays_)
    return struct.pack("<IQ", len(arrays_), len(data)) + lengths + data + b"".join(arrays_)


@pytest.mark.parametrize(
    "data",
    [
        frame({"class": "os:system", "fields": {"command": "true"}}),
        frame({"class": "contracts.jobs:Failure", "fields": {"unknown": 1}}),
        frame({"array": [0, "|O", [1]]}, b"12345678"),
        frame({"array": [0, "<f4", [3]]}, b"12345678"),
        frame({"array": [1, "<f4", [2]]}, b"12345678"),
        frame({"neither": 1}),
        struct.pack("<IQ", 0, 2**62),
        struct.pack("<IQ", 2**31, 2) + b"{}",
        b"Traceback (most recent call last):\n  File ...\n",
        struct.pack("<IQ", 0, 3) + b"{1}",
    ],
)
def test_other_bytes_are_no_message(data):
    """A class that is not expected, arrays that are not there, text that a library printed."""
    with pytest.raises((MessageError, EOFError)):
        receive(io.BytesIO(data), resolve)


def test_a_cut_message_is_the_end_of_the_stream():
    """At every byte."""
    stream = io.BytesIO()
    send(stream, {"answer": Waveform(np.ones(3, np.float32), 16000)})
    whole = stream.getvalue()
    for length in range(len(whole)):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]), resolve)
