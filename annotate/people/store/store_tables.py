"""The tables of a listening test.

An item is *queued* while it may be assigned: 0 = untouched, in the seeded order of ``place``; 1 = begun, in the order of its
last queueing. An annotator who has had all begun items up to a place never searches there again (``looked``), which keeps
assignments fast (``item_queue``).
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
    false,
    text,
    update,
)

from annotate.database import partial_index, sum_column, text_column
from annotate.database_identity import identity_table

VERSION: Final = 2

METADATA: Final = MetaData()


state: Final = Table(
    "listening_state",  # one row
    METADATA,
    Column("version", Integer, nullable=False),
    text_column("protocol"),
    text_column("settings"),  # ListeningSettings.as_json
    sum_column("changes"),  # grows whenever votes or progress may have changed
    sum_column("answers"),  # number of the last answer
    sum_column("begun"),  # place of the last item that was queued as begun
    Column("closed", Boolean, nullable=False, server_default=false()),  # no more items are assigned
)
items: Final = Table(
    "listening_items",
    METADATA,
    Column("item_id", Text, primary_key=True),
    text_column("subject_id"),
    text_column("language"),
    text_column("stratum"),
    text_column("content"),  # the item without its gold, as JSON
    Column("gold", Text),  # JSON list; null = ordinary
    Column("withdrawn", Boolean, nullable=False),
    Column("queued", Integer),  # 0 = untouched, 1 = begun, null = not to be assigned
    Column("place", BigInteger, nullable=False),
    sum_column("votes"),  # that count
    sum_column("leased"),
    Column("wanted", BigInteger, nullable=False),
)
partial_index(
    "listening_items_queued",
    *(items.c.queued, items.c.language, items.c.place, items.c.subject_id),
    where=items.c.queued.is_not(None),
)
Index("listening_items_by_subject", items.c.subject_id)
partial_index("listening_items_gold", items.c.language, where=items.c.gold.is_not(None))
partial_index(
    "listening_items_progress",
    *(items.c.stratum, items.c.language, items.c.wanted, items.c.votes),
    where=text("gold IS NULL AND NOT withdrawn"),
)

annotators: Final = Table(
    "listening_annotators",
    METADATA,
    Column("annotator_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    text_column("levels"),  # JSON object
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
    sum_column("tested"),  # items of the qualification test assigned
    sum_column("handed"),  # items assigned after it
    sum_column("answered"),
    sum_column("looked"),  # the annotator has had every begun item up to this place
)

assignments: Final = Table(
    "listening_assignments",
    METADATA,
    Column("assignment_id", Text, primary_key=True),
    Column("item_id", Text),  # null = the vote was imported
    text_column("subject_id"),
    text_column("annotator_id"),
    Column("kind", Text, CheckConstraint("kind IN ('ordinary', 'gold', 'qualification')"), nullable=False),
    Column("state", Text, CheckConstraint("state IN ('open', 'lapsed', 'answered')"), nullable=False),
    Column("order", Text),
    Column("position", BigInteger),  # among those of the annotator
    Column("shown", Double),
    Column("expires", Double),
    Column("plays", Text),  # JSON object: slot -> times started, times ended, last start that has not ended
    # The following columns are set with the answer; A and B are in the stored order.
    Column("number", BigInteger, unique=True),  # in the order of all answers
    Column("nth", BigInteger),  # number of answers of the annotator before this one; null = unknown, as of imported votes
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
    Column("aggregated", Boolean),  # true = a label aggregated from votes that are not here; null = the vote of one person
)
revocations: Final = Table(
    "listening_revocations",
    METADATA,
    Column("holder", Text, primary_key=True),  # annotator_id, or annotators.ADMIN
    sum_column("times"),  # links and sessions carry the number at their creation
)
aliases: Final = Table(
    "listening_aliases",  # other pseudonyms of annotators of imported votes
    METADATA,
    Column("alias", Text, primary_key=True),
    text_column("annotator_id"),
)
TAKEN: Final = text("listening_assignments.state IN ('open', 'answered')")
"""The subject is assigned to the annotator or answered. Literal SQL, so that the database uses the partial index below."""
partial_index(
    "listening_assignments_once",
    *(assignments.c.annotator_id, assignments.c.subject_id),
    where=text("state IN ('open', 'answered')"),
    unique=True,
)
Index("listening_assignments_by_subject", assignments.c.subject_id)
for _name in ("annotator_id", "expires"):
    partial_index(f"listening_assignments_open_by_{_name}", assignments.c[_name], where=text("state = 'open'"))

identity: Final = identity_table("listening_identity", METADATA)

_changed = update(state).values(changes=state.c.changes + 1)
_next_answer = _changed.values(answers=state.c.answers + 1).returning(state.c.answers)
_next_begun = _changed.values(begun=state.c.begun + 1).returning(state.c.begun)


def note_change(connection: Connection) -> None:
    """Change ``Store.version``."""
    connection.execute(_changed)


def next_answer(connection: Connection) -> int:
    """Return the number of a new answer: 1, 2, ..."""
    return int(connection.execute(_next_answer).scalar_one())


def next_place(connection: Connection) -> int:
    """Return the place at the end of the queue of begun items."""
    return int(connection.execute(_next_begun).scalar_one())
