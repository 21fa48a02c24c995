"""Where work is done, and what it may cost: what fan-outs and questions need of a build, or of a run of a benchmark."""

from typing import Protocol

from flows.run.progress import Progress
from storage.blobs import BlobStore
from storage.tables import TableStore
from storage.workspace import Workspace


class RunContext(Protocol):
    """A build, or a run of a benchmark."""

    @property
    def workspace(self) -> Workspace:
        """Where tables and clips lie; whoever works holds its lock."""
        ...

    @property
    def tables(self) -> TableStore:
        """The tables of the workspace."""
        ...

    @property
    def blobs(self) -> BlobStore:
        """The audio of the workspace."""
        ...

    @property
    def progress(self) -> Progress:
        """Observer."""
        ...

    @property
    def account(self) -> str:
        """Who pays, in the ledger."""
        ...

    @property
    def budget_usd(self) -> float | None:
        """What the account may come to; None = no paid request is allowed."""
        ...

    @property
    def is_read_only(self) -> bool:
        """Whether nothing in the workspace may be changed."""
        ...

    @property
    def ray_address(self) -> str | None:
        """A Ray cluster; None = an embedded one."""
        ...

    @property
    def secrets(self) -> frozenset[str]:
        """Environment variables that hold keys and that no worker gets."""
        ...
