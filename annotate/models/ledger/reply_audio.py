"""The audio of speech services' replies, beside the replies in the ledger and written in the same transaction.

So an answered request always has its audio, and whoever shares a ledger shares both.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from annotate.models.ledger.ledger_tables import audio
from annotate.models.request import Answer, Reply

# Made once: making a statement takes longer than executing it.
_STORE: Final = insert(audio)
_LOAD: Final = select(audio.c.sha256, audio.c.data).where(audio.c.key == bindparam("row_key"))


def store(connection: Connection, answers: Sequence[Answer]) -> None:
    """Store the audio of those answers that have some, as it came."""
    rows: list[dict[str, Any]] = [
        {"key": key, "sha256": hashlib.sha256(answer.audio).hexdigest(), "data": answer.audio}
        for key, answer in answers
        if isinstance(answer, Reply) and answer.audio is not None
    ]
    if rows:
        connection.execute(_STORE, rows)


def load(connection: Connection, key: str) -> bytes | None:
    """Return the audio of a reply; None = it has none, or was damaged."""
    row = connection.execute(_LOAD, {"row_key": key}).first()
    if row is None or hashlib.sha256(row.data).hexdigest() != row.sha256:
        return None
    return bytes(row.data)
