"""The program that runs a plug-in's session in another interpreter: the child of a worker, which it answers.

It is started by its path, so that the environment need not have this project installed: it puts the project's folder on the
path. What it imports must be there: NumPy, and what the plug-in's own file imports.
"""

import contextlib
import importlib
import os
import platform
import select
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from contracts import plugins
from contracts.errors import UnisrmError
from storage.environments.session_messages import MessageError, receive, send


def main() -> None:
    """Answer requests until their stream ends.

    Requests are mappings with the key ``do``: ``configure`` (``kind``, ``name``, ``options``), ``missing`` (``modules``
    to try), ``installed_version``, ``open``, ``contents``, or ``call`` (``method`` of the session, ``arguments``, ``many``).
    An answer is ``{"answer": value}``, for ``many`` any number of them and ``{"end": True}``, or ``{"raised": ...}``.
    """
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what libraries print must not get between the answers
    threading.Thread(target=_end_with_parent, args=(requests.fileno(),), daemon=True).start()
    host = _Host()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _answer(host, receive(requests, _imported), answers)


class _Host:
    """The plug-in and its open session."""

    plugin: Any = None
    session: Any = None

    def do(self, request: dict[str, Any]) -> Any:
        """Return the answer to a request."""
        match request["do"]:
            case "configure":
                self.plugin = plugins.configure(request["kind"], request["name"], request["options"])
                return None
            case "missing":
                return self.plugin.missing() or _import_problem(request["modules"])
            case "installed_version":
                return self.plugin.installed_version()
            case "open":
                self.session = self.plugin.open()
                names = ("version", "model", "model_version")
                return {name: getattr(self.session, name) for name in names if hasattr(self.session, name)}
            case "contents":
                found = {f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions()}
                return {"packages": sorted(found), "python_version": platform.python_version()}
            case "call":
                return getattr(self.session, request["method"])(*request["arguments"])
        raise MessageError(f"unknown request {request['do']!r}")


def _answer(host: _Host, request: dict[str, Any], answers: BinaryIO) -> None:
    try:
        answer = host.do(request)
        if not request.get("many"):
            send(answers, {"answer": answer})
            return
        for one in answer:
            send(answers, {"answer": one})
        send(answers, {"end": True})
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the process that uses the session decides what becomes of it
        send(answers, {"raised": _described(error)})


def _import_problem(modules: Sequence[str]) -> str | None:
    """Import what a session imports, and return why that does not work; packages do not always ask for all that they import."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - a foreign package raises what it likes
            return f"{module} cannot be imported: {type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _described(error: Exception) -> dict[str, Any]:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return {
        "type": type(error).__name__,
        "ours": isinstance(error, UnisrmError),
        "message": str(error),
        "where": f"{where.name}, line {where.lineno}",
        "errno": error.errno if isinstance(error, OSError) else None,
    }


def _imported(name: str) -> type:
    module, _, attribute = name.partition(":")
    found: type = getattr(importlib.import_module(module), attribute)
    return found


def _end_with_parent(descriptor: int) -> None:
    """End this process when nobody can send requests any more, also in the middle of one."""
    watched = select.poll()
    watched.register(descriptor, 0)  # a hang-up is always reported
    watched.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
