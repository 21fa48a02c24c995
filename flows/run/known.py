"""Which ledger, listening test and key of links a workspace has used, so that a lost or replaced one is noticed.

The identity is recorded at the first use, and the number of records at each later one. Workspaces of older versions have no
such record; there, whatever exists is accepted.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from annotate.database_identity import Known, require_same
from contracts.errors import StorageError
from flows.run.context import RunContext
from storage.state import read_state

Name = Literal["ledger", "listening", "secret"]
WHAT: Final[Mapping[str, str]] = {"ledger": "ledger", "listening": "listening test", "secret": "key of the listening test"}

_KNOWN: Final = TypeAdapter(Known)


def _note(name: Name) -> str:
    return f"known/{name}.json"


def known_of(context: RunContext, name: Name) -> Known | None:
    """Return what is recorded; None if nothing is.

    Raises:
        DamagedState: the note cannot be understood.
    """
    advice = f"restore it from a backup, or remove it: the {WHAT[name]} that is there now is then taken for the one that was"
    try:
        return read_state(context.workspace, _note(name), _KNOWN, advice=advice)
    except FileNotFoundError:
        return None


def remember(context: RunContext, name: Name, identity: str, where: str, held: Mapping[str, int] | None = None) -> None:
    """Record what is used and how much it holds; a read-only build records nothing."""
    if context.is_read_only:
        return
    before = known_of(context, name)
    least = before.held if before and before.identity == identity else {}
    now = Known(
        identity=identity,
        where=where,
        held={item: max(number, least.get(item, 0)) for item, number in (held or {}).items()} if held is not None else least,
    )
    if now != before:
        context.workspace.write(_note(name), _KNOWN.dump_json(now, indent=1))


def forget(context: RunContext, name: Name) -> Known | None:
    """Remove the record, damaged or not, and return it; None if there was none or it was damaged."""
    was = None
    with contextlib.suppress(StorageError):
        was = known_of(context, name)
    context.workspace.remove(_note(name))
    return was


def require_there(context: RunContext, name: Name, place: str) -> Known | None:
    """Return what is recorded of a database, and refuse a file that is gone: opening it would create a new one.

    Raises:
        OtherDatabase: there was one, and its file is not there.
    """
    known = known_of(context, name)
    if known is not None and "://" not in place and not os.path.lexists(place):
        require_same(known, None, what=WHAT[name], name=name, where=place)
    return known


def is_there(context: RunContext, name: Name, place: str) -> bool:
    """Tell whether there is a database, without creating one.

    Raises:
        OtherDatabase: there was one, and its file is not there.
    """
    return require_there(context, name, place) is not None or "://" in place or Path(place).exists()
