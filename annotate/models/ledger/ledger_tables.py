"""The tables of a ledger, and their creation.

Money is in whole picodollars (1e-12 dollars), so that sums are exact in any order; a table holds 9 million dollars.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    insert,
    inspect,
    select,
    update,
)

from annotate.database import Database, partial_index, sum_column, text_column
from annotate.database_identity import identity_table
from contracts.errors import StorageError

VERSION: Final = 3
"""2 had no table for audio."""

OPEN_STATES: Final = ("reserved", "sent")
"""States of a claimed request without an answer."""

_METADATA: Final = MetaData()


requests: Final = Table(
    "ledger_requests",
    _METADATA,
    Column("key", Text, primary_key=True),
    text_column("account"),  # that claimed it last, and pays
    text_column("judge"),
    text_column("model"),
    text_column("task"),
    text_column("prompt_version"),
    text_column("row_id"),  # the row for which it was first sent
    Column("repeat", Integer, nullable=False),
    Column("state", Text, CheckConstraint("state IN ('reserved', 'sent', 'replied', 'failed')"), nullable=False),
    Column("owner", Text),  # that has claimed it
    Column("batch", Text),  # in which it was sent, if any
    Column("attempts", Integer, nullable=False, server_default="0"),
    sum_column("open_picousd"),  # highest prices of the attempts without an answer
    sum_column("spent_picousd"),
    Column("latency_s", Double),
    Column("model_served", Text),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("text", Text),
    Column("raw", Text),
    Column("reason", Text),
    Column("message", Text),
    Column("created", Text),  # UTC, for people
    Column("answered", Text),
)
Index("ledger_requests_by_row", requests.c.row_id)
# Covers all that spend() sums up, so that the replies are not read.
Index(
    "ledger_requests_by_account",
    *(requests.c[name] for name in ("account", "task", "judge", "model", "state")),
    *(requests.c[name] for name in ("spent_picousd", "open_picousd", "input_tokens", "output_tokens")),
)
for _column in (requests.c.owner, requests.c.batch):
    partial_index(f"ledger_requests_by_{_column.name}", _column, where=_column.is_not(None))

audio: Final = Table(
    "ledger_audio",  # of the replies of speech services, apart so that nothing else reads it
    _METADATA,
    Column("key", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
accounts: Final = Table(
    "ledger_accounts",
    _METADATA,
    Column("account", Text, primary_key=True),
    sum_column("owed_picousd"),  # sum over its requests and losses
)
losses: Final = Table(
    "ledger_losses",  # what an account spent on requests that another one has claimed since
    _METADATA,
    Column("number", Integer, primary_key=True),
    text_column("account"),
    text_column("task"),
    text_column("judge"),
    text_column("model"),
    sum_column("spent_picousd"),
)
batches: Final = Table(
    "ledger_batches",
    _METADATA,
    Column("number", Integer, primary_key=True),  # in the order of intent
    Column("name", Text, nullable=False, unique=True),
    Column("batch_id", Text),
    text_column("account"),
    text_column("judge"),
    text_column("model"),
    Column("state", Text, CheckConstraint("state IN ('intended', 'submitted', 'closed')"), nullable=False),
    Column("size", Integer, nullable=False),
    text_column("owner"),
    Column("created", Text),
)
owners: Final = Table(
    "ledger_owners",
    _METADATA,
    Column("token", Text, primary_key=True),
    text_column("host"),
    Column("pid", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("lease_until", Double, nullable=False),  # seconds since 1970
)
identity: Final = identity_table("ledger_identity", _METADATA)
# SQLite has a number for this in the file's head.
_version: Final = Table("ledger_version", MetaData(), Column("version", Integer, nullable=False))


def prepare(database: Database) -> None:
    """Create the tables where there are none, or those that an older version lacks, all at once or not at all.

    Raises:
        StorageError: another version of this software wrote them, or the file is no ledger.
    """
    with database.reading() as connection:
        if _written_by(database, connection) == VERSION:
            return
    with database.writing() as connection:
        match _written_by(database, connection):
            case int(version) if version == VERSION:
                return  # another process was faster
            case 0:
                if database.dialect == "sqlite" and inspect(connection).get_table_names():
                    raise StorageError(f"{database.where} is a database, but no ledger: name another file")
                _METADATA.create_all(connection)
            case 2:
                audio.create(connection)
            case int(version):
                raise StorageError(
                    f"{database.where} is a ledger of version {version}, and this software reads version {VERSION}: "
                    f"{'update it' if version > VERSION else 'name another file; no release wrote such a ledger'}"
                )
        if database.dialect == "sqlite":
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")
        else:
            _version.create(connection, checkfirst=True)
            connection.execute(delete(_version))
            connection.execute(insert(_version).values(version=VERSION))


def adopt_unnamed(database: Database, account: str) -> None:
    """Give requests that nobody was named for to this account.

    Raises:
        StorageError: the database fails.
    """
    unnamed = select(accounts.c.owed_picousd).where(accounts.c.account == "")
    with database.reading() as connection:
        if connection.execute(unnamed).first() is None:
            return
    with database.writing() as connection:
        ours = accounts.c.account == account
        for picousd in connection.execute(unnamed).scalars().all():  # one, or none if another process was faster
            if connection.execute(update(accounts).where(ours).values(owed_picousd=accounts.c.owed_picousd + picousd)).rowcount:
                connection.execute(delete(accounts).where(accounts.c.account == ""))
            else:
                connection.execute(update(accounts).where(accounts.c.account == "").values(account=account))
        for table in (requests, losses, batches):
            connection.execute(update(table).where(table.c.account == "").values(account=account))


def _written_by(database: Database, connection: Connection) -> int:
    """Return the version of the tables; 0 = there are none."""
    if database.dialect == "sqlite":
        return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not inspect(connection).has_table(_version.name):
        return 0
    return int(connection.execute(_version.select()).scalar_one())
