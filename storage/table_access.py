"""Restricted access to tables: of a stage to those that it declares, of a read-only command to those that are intact."""

from collections.abc import Sequence

import pyarrow as pa

from contracts.errors import StorageError, UndeclaredTable
from storage.tables import Part, TableStore
from storage.workspace import Workspace


class DeclaredTables(TableStore):
    """The tables that a stage has declared. Others are refused, because the stage would not be run again when they change."""

    def __init__(self, workspace: Workspace, stage: str, reads: Sequence[str], writes: Sequence[str]) -> None:
        """Take the tables of a workspace.

        Args:
            workspace: the workspace.
            stage: name of the stage, for messages.
            reads: names of the tables that it may read; ``name@*`` = all partitions of a table.
            writes: names of the tables that it may write and read.
        """
        super().__init__(workspace)
        self._stage, self._reads, self._writes = stage, tuple(reads), tuple(writes)

    def parts(self, name: str) -> list[Part]:
        """Return the committed parts of a declared table.

        Raises:
            UndeclaredTable: the stage has not declared it.
            DamagedState: its manifest cannot be understood.
        """
        self._require(name, (*self._reads, *self._writes), "reads")
        return super().parts(name)

    def partitions(self, name: str) -> list[str]:
        """Return the names of a table's partitions, sorted, if the stage has declared all of them."""
        self._require(f"{name}@*", (*self._reads, *self._writes), "reads")
        return super().partitions(name)

    def _commit(self, name: str, parts: Sequence[Part]) -> None:
        self._require(name, self._writes, "writes")
        super()._commit(name, parts)

    def _require(self, name: str, declared: Sequence[str], what: str) -> None:
        if not {name, f"{name.partition('@')[0]}@*"} & set(declared):
            raise UndeclaredTable(f"stage {self._stage!r} {what} the table {name!r}, which it does not declare")


class ReadableTables(TableStore):
    """Tables for a read-only command: damaged ones are read as empty and noted."""

    def __init__(self, workspace: Workspace, problems: dict[str, str]) -> None:
        """Take the tables of a workspace.

        Args:
            workspace: the workspace.
            problems: filled with table -> what is damaged and what to do.
        """
        super().__init__(workspace)
        self.problems = problems

    def parts(self, name: str) -> list[Part]:
        """Return the committed parts; none if the manifest is damaged."""
        try:
            return super().parts(name)
        except StorageError as error:
            self.problems[name] = str(error)
            return []

    def partitions(self, name: str) -> list[str]:
        """Return the names of a table's partitions; none if they cannot be listed."""
        try:
            return super().partitions(name)
        except StorageError as error:
            self.problems["tables"] = str(error)
            return []

    def read(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all committed rows; none if a part is damaged."""
        try:
            return super().read(name, columns)
        except StorageError as error:
            self.problems[name] = str(error)
            return self._schema(name, columns).empty_table()
