"""The tables of a listening test.

An item is *queued* while it may be handed out: 0 = nobody has had it yet, in the seeded order of ``place``; 1 = begun, in the
order in which it came to have room. So an annotator who has looked through the begun items up to a place need never look there
again, which is what keeps handing out fast (``queue``).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
    update,
)

VERSION: Final = 1

METADATA: Final = MetaData()


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


state: Final = Table(
    "listening_state",  # one row
    METADATA,
    Column("version", Integer, nullable=False),
    _text("protocol"),
    _text("settings"),  # of the protocol and languages: what counts and place rest upon
    _count("changes"),  # grows whenever votes or progress may have changed
    _count("answers"),  # number of the last answer
    _count("begun"),  # place of the last item that was queued as begun
)
items: Final = Table(
    "listening_items",
    METADATA,
    Column("item_id", Text, primary_key=True),
    _text("subject_id"),
    _text("language"),
    _text("stratum"),
    _text("content"),  # the item without its gold, as JSON
    Column("gold", Text),  # JSON list; null = ordinary
    Column("withdrawn", Boolean, nullable=False),
    Column("queued", Integer),  # 0 = untouched, 1 = begun, null = not to be handed out
    Column("place", BigInteger, nullable=False),
    _count("votes"),  # that count
    _count("leased"),
    Column("wanted", BigInteger, nullable=False),
)
_queued = items.c.queued.is_not(None)
Index(
    "listening_items_queued",
    *(items.c.queued, items.c.language, items.c.place, items.c.subject_id),
    sqlite_where=_queued,
    postgresql_where=_queued,
)
Index("listening_items_by_subject", items.c.subject_id)
_gold = items.c.gold.is_not(None)
Index("listening_items_gold", items.c.language, sqlite_where=_gold, postgresql_where=_gold)
_ordinary = text("gold IS NULL AND NOT withdrawn")
Index(
    "listening_items_progress",
    *(items.c.stratum, items.c.language, items.c.wanted, items.c.votes),
    sqlite_where=_ordinary,
    postgresql_where=_ordinary,
)

annotators: Final = Table(
    "listening_annotators",
    METADATA,
    Column("annotator_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("levels"),  # JSON object
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('invited', 'consented', 'equipped', 'qualified', 'failed', 'excluded', 'elsewhere')"),
        nullable=False,
    ),
    Column("before", Text),  # state before the exclusion
    Column("reason", Text),
    Column("evidence", Text),  # JSON object
    Column("pardoned", Boolean, nullable=False),
    _count("tested"),  # items of the qualification test handed out
    _count("handed"),  # items handed out after it
    _count("answered"),
    _count("looked"),  # every begun item up to this place is one that the annotator has had
)

assignments: Final = Table(
    "listening_assignments",
    METADATA,
    Column("assignment_id", Text, primary_key=True),
    Column("item_id", Text),  # null = the vote was imported
    _text("subject_id"),
    _text("annotator_id"),
    Column("kind", Text, CheckConstraint("kind IN ('ordinary', 'gold', 'qualification')"), nullable=False),
    Column("state", Text, CheckConstraint("state IN ('open', 'lapsed', 'answered')"), nullable=False),
    Column("order", Text),
    Column("position", BigInteger),  # among those of the annotator
    Column("shown", Double),
    Column("expires", Double),
    Column("plays", Text),  # JSON object: slot -> times started, times ended, last start that has not ended
    # The rest is there once it is answered, A and B in the stored order.
    Column("number", BigInteger, unique=True),  # in the order of all answers
    Column("nth", BigInteger),  # how many the annotator had answered before; null = unknown, as of imported votes
    Column("answer_id", Text, unique=True),
    Column("value", Text),
    Column("errors_a", Text),  # JSON list
    Column("errors_b", Text),
    Column("accurate_a", Boolean),
    Column("accurate_b", Boolean),
    Column("scores", Text),  # JSON object
    Column("time_s", Double),
    Column("audio_s", Double),
    Column("plays_a", BigInteger),
    Column("plays_b", BigInteger),
    Column("source", Text),
    Column("dismissed", Text),  # why an imported vote never counts
    Column("discarded", Text),
)
HAD: Final = text("listening_assignments.state IN ('open', 'answered')")
"""An annotator has had the subject. Literal, as only so a database knows that the index below will do."""
Index(
    "listening_assignments_once",
    *(assignments.c.annotator_id, assignments.c.subject_id),
    unique=True,
    sqlite_where=text("state IN ('open', 'answered')"),
    postgresql_where=text("state IN ('open', 'answered')"),
)
Index("listening_assignments_by_subject", assignments.c.subject_id)
for _name in ("annotator_id", "expires"):
    Index(
        f"listening_assignments_open_by_{_name}",
        assignments.c[_name],
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    )


_changed = update(state).values(changes=state.c.changes + 1)
_next_answer = _changed.values(answers=state.c.answers + 1).returning(state.c.answers)
_next_begun = _changed.values(begun=state.c.begun + 1).returning(state.c.begun)


def note_change(connection: Connection) -> None:
    """Make ``Store.version`` another one."""
    connection.execute(_changed)


def next_answer(connection: Connection) -> int:
    """Return the number of a new answer: 1, 2, ..."""
    return int(connection.execute(_next_answer).scalar_one())


def next_place(connection: Connection) -> int:
    """Return the place of an item that is queued as begun, behind all others."""
    return int(connection.execute(_next_begun).scalar_one())
