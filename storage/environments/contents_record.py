"""What was in the environments that worked for a workspace: a provenance record beside its tables."""

from typing import Any, Final

from contracts.ids import canonical_json, digest
from storage.workspace import Workspace

RECORDS: Final = "environments"
"""Folder of a workspace with one JSON file for each environment: its packages, and for which plug-in it worked."""


def record_contents(workspace: Workspace, session: Any) -> None:
    """Write what is in a session's environment into the workspace, once; nothing for a session in our own interpreter.

    Args:
        workspace: the workspace.
        session: an open session, which may have an attribute ``environment_contents``.
    """
    for contents in getattr(session, "environment_contents", ()):
        name = f"{RECORDS}/{digest(contents)[:32]}.json"
        if not workspace.exists(name):
            workspace.write(name, canonical_json(contents).encode())
