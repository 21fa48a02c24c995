"""Languages as all tables name them: the two letters of ISO 639-1, the three of ISO 639-3 where there are no two, or ``mixed``.

Corpora write ``EN``, ``en-US``, ``eng``, ``English`` or ``cmn`` for what engines, recognisers, listeners and strata must know
under one name. Tags are brought to that name where they come in: in a recipe and in the rows of a corpus.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from contracts.language_codes import CHINESE, MIXED, UNKNOWN, base_language, language_hint, language_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CHINESE", "MIXED", "UNKNOWN", "Language", "base_language", "language_hint", "language_of", "with_setting"]


def _known(tag: str) -> str:
    if (language := language_of(tag)) is None:
        raise ValueError(f"there is no language {tag!r}: {language_hint(tag)}")
    return language


Language = Annotated[str, AfterValidator(_known)]
"""A language in a recipe or an option: written in any way that ``language_of`` knows, read as its code."""


def with_setting(prompts: "pa.Table") -> "pa.Table":
    """Append ``setting`` to rows of schema PROMPTS: reference2target, as in en2zh; en2en without a reference."""
    import pyarrow.compute as pc  # recognisers name languages in environments without it

    reference = pc.coalesce(prompts["reference_language"], prompts["language"])
    return prompts.append_column("setting", pc.binary_join_element_wise(reference, prompts["language"], "2"))
