"""The rationale of a clip's ratings that rests on measured features alone (after GSRM: features first, reasoning second).

The writer has not heard the clip. It is shown the measurements and the ratings, and explains these by those; every number that
it cites must be one of the measurements (``annotate.models.parse.cited_numbers``).
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from annotate.models.parse.cited_numbers import require_citations
from annotate.models.parse.strict_json import Field, Text, written
from annotate.models.task import TaskSpec, Written
from scoring.feature import read_table

FIELDS: Final[dict[str, Field]] = {"rationale": Text(longest=4_000)}


def check(content: Written, shown: Mapping[str, str]) -> None:
    """Refuse a rationale with a number that was not measured.

    Raises:
        ParseError: see ``annotate.models.parse.cited_numbers``.
    """
    require_citations(content.content["rationale"], read_table(shown["features"].splitlines()))


PLUGIN: Final = TaskSpec(
    name="grounded",
    subject="assessments",
    templates={"en": "grounded.en.jinja"},
    fields=(),
    passages=("features", "ratings"),
    audios={},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
    check=check,
)
