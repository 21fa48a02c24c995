"""The identity of a ledger: whether it is the one that a workspace has used, and holds at least as much."""

from annotate.database import Database
from annotate.database_identity import Known, make_identity, read_identity, require_no_less, require_same
from annotate.models.ledger import totals
from annotate.models.ledger.ledger_tables import identity


def require_known(database: Database, known: Known) -> None:
    """Refuse a ledger that is not the known one, or an older copy of it.

    Raises:
        OtherDatabase: it is not the known ledger, or holds less.
    """
    described = {"what": database.what, "name": "ledger", "where": database.where}
    with database.reading() as connection:
        require_same(known, read_identity(connection, identity), **described)
        require_no_less(known, totals.held(connection), **described)


def identity_of(database: Database) -> str:
    """Return the identity of a ledger, made if there is none yet."""
    with database.reading() as connection:
        found = read_identity(connection, identity)
    if found is None:
        with database.writing() as connection:
            found = make_identity(connection, identity)
    return found
