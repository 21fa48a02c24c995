"""Every error this project raises on purpose.

UnisrmError
├── RecipeError            a recipe, a plug-in name or an option is wrong; nothing has run
├── SetupError             something is missing on this machine: engine, model, key, GPU, disk
├── DataError              an input file or row is unusable; names file, row and field
│   └── SchemaError        a table breaks its schema at a stage boundary
├── StorageError           the workspace cannot be read or written
│   ├── WorkspaceLocked    another build holds the workspace
│   │   └── LeaseLost      this build held it, and another one may by now
│   ├── DamagedPart        a committed file is missing or does not match its manifest
│   ├── DamagedState       a file that says what has been done cannot be understood
│   └── OtherDatabase      the ledger or listening test is gone, or is not the one that the workspace used
├── UndeclaredTable        a stage touches a table that it does not declare
├── UndeclaredSection      a stage reads a section of the recipe that its settings do not hold
├── LeakageError           two splits share a text, a recording or a dialogue
├── BooksError             rows in != rows out + failures + drops
└── BudgetExceeded         the next paid call would pass the recipe's budget

A message says what is wrong, where (file, row, field), and what to do about it. The command line prints it as one line
and exits with code 2; a traceback on the terminal is a defect.
"""


class UnisrmError(Exception):
    """Root of all errors raised on purpose."""


class RecipeError(UnisrmError):
    """The recipe, a plug-in name or one of its options is wrong."""


class SetupError(UnisrmError):
    """This machine lacks something that the recipe needs."""


class DataError(UnisrmError):
    """An input file or row cannot be used."""


class SchemaError(DataError):
    """A table does not conform to its schema."""


class StorageError(UnisrmError):
    """The workspace cannot be read or written."""


class WorkspaceLocked(StorageError):
    """Another build is running in this workspace."""


class LeaseLost(WorkspaceLocked):
    """This build held the workspace and does no more: nothing may be written."""


class DamagedPart(StorageError):
    """A committed file is gone or differs from what its manifest promises."""


class DamagedState(StorageError):
    """A file in which the workspace remembers what has been done cannot be understood."""


class OtherDatabase(StorageError):
    """The ledger or listening test is gone, older than it was, or not the one that the workspace used."""


class UndeclaredTable(UnisrmError):
    """A stage reads or writes a table that it does not declare, so it would not notice when the table changes."""


class UndeclaredSection(UnisrmError):
    """A stage reads a section of the recipe that its settings do not hold: a defect of the stage."""


class LeakageError(UnisrmError):
    """Two splits share something that they must not share."""


class BooksError(UnisrmError):
    """The row counts of a stage do not add up."""


class BudgetExceeded(UnisrmError):
    """A paid call was refused because it would pass the budget."""
