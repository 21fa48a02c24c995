"""Small JSON files with the state of a workspace."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from contracts.errors import DamagedState
from storage.workspace import Workspace

T = TypeVar("T")


def read_state(workspace: Workspace, name: str, shape: TypeAdapter[T], *, advice: str) -> T:
    """Return the content of a state file.

    Args:
        workspace: the workspace.
        name: the file.
        shape: type of its content.
        advice: what to do if it is damaged.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedState: it is no JSON of that type; names the file.
        StorageError: it cannot be read.
    """
    data = workspace.read(name)
    try:
        return shape.validate_json(data, strict=True)
    except ValidationError as error:
        raise DamagedState(f"{workspace.path(name)} is damaged ({_problem(error)}): {advice}") from None


def _problem(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
