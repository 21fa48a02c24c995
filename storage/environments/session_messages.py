"""Messages between a session in another interpreter and the process that uses it.

A frame is a count and the lengths of arrays, the length of a JSON text, that text, and the arrays' bytes. JSON and raw bytes
are read alike by every version of Python and NumPy, which a pickle is not, and reading them runs no code.
"""

import dataclasses
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

import numpy as np

_HEAD: Final = struct.Struct("<IQ")
_LENGTH: Final = struct.Struct("<Q")
_LARGEST_BYTES: Final = 1 << 33
"""Size of a frame that only a damaged stream announces."""

_ARRAYS: Final = frozenset({"f", "i", "u", "b", "c"})
"""Kinds of array elements that may cross: numbers."""

Resolve = Callable[[str], type]
"""Returns the class of a name like ``synth.engine:Waveform``, or raises ``MessageError``."""


class MessageError(Exception):
    """A message cannot be written or read: a value of an unknown type, or bytes that are no message."""


def class_name(kind: type) -> str:
    """Return the name under which instances of a dataclass cross."""
    return f"{kind.__module__}:{kind.__qualname__}"


def send(stream: BinaryIO, message: object) -> None:
    """Write one message.

    Raises:
        MessageError: a value in it is neither a literal, an array of numbers, nor a dataclass of these.
        OSError: nobody reads.
    """
    arrays: list[Any] = []
    text = json.dumps(_plain(message, arrays)).encode()
    lengths = b"".join(_LENGTH.pack(array.nbytes) for array in arrays)
    stream.write(_HEAD.pack(len(arrays), len(text)) + lengths + text)
    stream.writelines(array.tobytes() for array in arrays)
    stream.flush()


def receive(stream: BinaryIO, resolve: Resolve) -> Any:
    """Read one message.

    Raises:
        EOFError: the other side has closed the stream.
        MessageError: these bytes are no message, or one with a class that ``resolve`` does not know.
    """
    count, size = _HEAD.unpack(_exactly(stream, _HEAD.size))
    if count * _LENGTH.size + size > _LARGEST_BYTES:
        raise MessageError("the stream holds no message")
    lengths = [_LENGTH.unpack(_exactly(stream, _LENGTH.size))[0] for _ in range(count)]
    if sum(lengths) > _LARGEST_BYTES:
        raise MessageError("the stream holds no message")
    text = _exactly(stream, size)
    arrays = [_exactly(stream, length) for length in lengths]
    try:
        return _value(json.loads(text), arrays, resolve)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise MessageError(f"a message that cannot be read: {error}") from error


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the stream has ended")
    return data


def _plain(value: Any, arrays: list[Any]) -> Any:
    """Return a value in JSON's types; its arrays go into the list."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in _ARRAYS:
            raise MessageError(f"an array of {value.dtype} cannot cross")
        arrays.append(np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")))
        return {"array": [len(arrays) - 1, arrays[-1].dtype.str, list(value.shape)]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _plain(getattr(value, field.name), arrays) for field in dataclasses.fields(value) if field.init}
        return {"class": class_name(type(value)), "fields": fields}
    if isinstance(value, Mapping):
        return {"mapping": {str(key): _plain(item, arrays) for key, item in value.items()}}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(item, arrays) for item in value]
    raise MessageError(f"a {type(value).__name__} cannot cross")


def _value(plain: Any, arrays: Sequence[bytes], resolve: Resolve) -> Any:
    if isinstance(plain, list):
        return [_value(item, arrays, resolve) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        number, dtype, shape = plain["array"]
        if np.dtype(dtype).kind not in _ARRAYS:
            raise MessageError(f"an array of {dtype} cannot cross")
        return np.frombuffer(arrays[number], dtype=dtype).reshape(shape).copy()
    if "class" in plain:
        fields = {name: _value(item, arrays, resolve) for name, item in plain["fields"].items()}
        return resolve(plain["class"])(**fields)
    return {name: _value(item, arrays, resolve) for name, item in plain["mapping"].items()}
