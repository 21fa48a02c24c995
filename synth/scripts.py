"""What is spoken: the transcripts of the chosen prompts, optionally cleaned, and what a language model wrote after them.

SpeechJudge (appendix A.1) speaks cleaned transcripts in regular prompts; in expressive ones it has a language model continue
the reference's text, translate the continuation, and switch languages within it. Nobody has recorded what a model wrote: such
prompts have no target recording.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError, RecipeError
from contracts.ids import canonical_json
from contracts.languages import MIXED
from contracts.schemas import DROPS, PROMPTS
from contracts.text_forms import keyed
from contracts.text_identity import identity_form
from synth.prompt_choice import identified

STAGE: Final = "texts"
FILTER: Final = "scripts"

CLEAN_TEXT: Final = "clean_text"
"""Task whose content ``text`` is the prompt's text without typing errors."""

OF_RECORDINGS: Final = frozenset({"transcript", "foreign"})
"""Variants whose text is the transcript of a recording."""

STYLE_CONTINUATION: Final = "style_continuation"
"""Task whose content ``random``, ``translation`` and ``codeSwitching`` go on from the reference's text."""

Variant = Literal["transcript", "random", "translation", "codeSwitching", "foreign"]

Variants: TypeAlias = Sequence[Variant] | Mapping[str, Sequence[Variant]]
"""What is made of each prompt: the same of all, or by style."""

_UNWRITTEN: Final = frozenset({"no_clean_text", "no_continuation"})
_OTHER: Final = {"en": "zh", "zh": "en"}
_LATIN: Final = re.compile(r"[A-Za-z]")
_IDEOGRAPH: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")

_Row = Mapping[str, Any]
_Contents = Mapping[tuple[str, str], Mapping[str, str]]  # task and prompt id -> what was written
_Reason = tuple[str, dict[str, object]]  # the counted word and its evidence


def scripts(
    prompts: pa.Table,
    writings: pa.Table,
    *,
    cleaned: bool,
    variants: Variants,
    targets: Literal["texts", "recordings"] = "texts",
    refused: Mapping[str, str] = MappingProxyType({}),
) -> tuple[pa.Table, pa.Table]:
    """Turn the chosen prompts into those that are spoken.

    The unit is a prompt in a variant (see ``variants_of``): each leaves as a prompt or as a drop.

    - ``transcript``: the prompt itself, with its cleaned text if ``cleaned``. Another text is another group and another prompt.
    - ``foreign``: likewise, of a prompt whose text is in another language than its reference.
    - ``random``: the continuation, in the reference's language; ``translation``: the same in the other language of English and
      Chinese; ``codeSwitching``: the same in both, language ``mixed``. These keep reference, corpus and licence of the prompt,
      and have no target recording. Their style is that of the prompt where variants are given by style, else ``expressive``.

    Reasons of drops (row id: the chosen prompt; evidence: the variant): ``no_clean_text``; ``no_reference`` (nothing to go on
    from); ``no_continuation``; ``unsupported_language`` (neither English nor Chinese, so there is no other language);
    ``wrong_language`` (the scripts in which it is written belie its language: a label that bench strata and error rates rest
    on); ``duplicate_text`` (of one ``identity_form`` with an earlier row of the same language: earlier in the order of prompts,
    then of variants, so prompts appended later take nothing away).

    Args:
        prompts: table of schema PROMPTS.
        writings: table of schema WRITINGS: the current rows of CLEAN_TEXT and STYLE_CONTINUATION, by prompt id. Other tasks and
            other prompts are ignored.
        cleaned: whether transcripts are spoken as they were cleaned.
        variants: what is made of each prompt, each at most once; by style, or the same of all.
        targets: whether each text is spoken once, or after every recording of it.
        refused: prompt id -> why no text was written about it, for the evidence.

    Returns:
        Tables of schema PROMPTS and DROPS (stage ``texts``), in the order of prompts, then of variants.

    Raises:
        RecipeError: no variant, an unknown one, or one twice.
        DataError: two writings of a task about one prompt.
    """
    known = get_args(Variant)
    for some in variants.values() if isinstance(variants, Mapping) else (variants,):
        if not some or len(set(some)) < len(some) or set(some) - set(known):
            raise RecipeError(f"texts: variants must be some of {', '.join(known)}, each once; got {list(some)}")
    written = _contents(writings, {CLEAN_TEXT, STYLE_CONTINUATION})
    spoken, drops = list[dict[str, Any]](), list[dict[str, str]]()
    first = dict[tuple[str, str, str | None], str]()
    for prompt in prompts.to_pylist():
        for variant in variants_of(prompt, variants):
            made = (
                _transcript(prompt, written, cleaned)
                if variant in OF_RECORDINGS
                else _written(prompt, variant, written, style=style_of(prompt, variants))
            )
            if isinstance(made, dict):
                recording = made["target_utterance_id"] if targets == "recordings" else None
                key = made["language"], identity_form(made["text"]), recording
                if key not in first:
                    first[key] = made["prompt_id"]
                    spoken.append(made)
                    continue
                made = "duplicate_text", {"of": first[key]}
            reason, evidence = made
            if reason in _UNWRITTEN and (why := refused.get(prompt["prompt_id"])) is not None:
                evidence |= {"why": why}
            facts = canonical_json({"variant": variant, **evidence})
            drops.append({"stage": STAGE, "row_id": prompt["prompt_id"], "filter": FILTER, "reason": reason, "evidence": facts})
    return pa.Table.from_pylist(spoken, schema=PROMPTS), pa.Table.from_pylist(drops, schema=DROPS)


def _contents(writings: pa.Table, tasks: Collection[str]) -> _Contents:
    contents = dict[tuple[str, str], Mapping[str, str]]()
    of_tasks = writings.filter(pc.is_in(writings["task"], value_set=pa.array(sorted(tasks))))
    for row in of_tasks.select(["task", "subject_id", "content"]).to_pylist():
        key = row["task"], row["subject_id"]
        if key in contents:
            raise DataError(f"texts: two writings of task {key[0]} about prompt {key[1]}; only the current one may be given")
        contents[key] = json.loads(row["content"])
    return contents


def _text(written: _Contents, task: str, prompt: _Row, name: str) -> str:
    """Return what was written in one line; empty if nothing was."""
    return keyed(written.get((task, prompt["prompt_id"]), {}).get(name, ""))


def _transcript(prompt: dict[str, Any], written: _Contents, cleaned: bool) -> dict[str, Any] | _Reason:
    if not cleaned:
        return prompt
    text = _text(written, CLEAN_TEXT, prompt, "text")
    return identified({**prompt, "text": text}) if text else ("no_clean_text", {})


def _written(prompt: dict[str, Any], variant: Variant, written: _Contents, *, style: str) -> dict[str, Any] | _Reason:
    if prompt["reference_utterance_id"] is None:
        return "no_reference", {}
    reference_language = prompt["reference_language"]
    language = language_of(reference_language, variant)
    if language is None:
        return "unsupported_language", {"language": reference_language}
    text = _text(written, STYLE_CONTINUATION, prompt, variant)
    if not text:
        return "no_continuation", {}
    if not _is_written_in(text, language):
        return "wrong_language", {"language": language, "text": text}
    changes = {"text": text, "language": language, "style": style}
    return identified({**prompt, **changes, "target_utterance_id": None})


def variants_of(prompt: _Row, variants: Variants) -> list[Variant]:
    """Return what is made of a row of PROMPTS as it was chosen.

    A prompt whose text is in another language than its reference (synth.foreign_texts) is ``foreign`` and nothing else.
    """
    own = variants.get(prompt["style"], ()) if isinstance(variants, Mapping) else variants
    reference = prompt["reference_language"]
    is_foreign = reference is not None and _primary(reference) != _primary(prompt["language"])
    if "foreign" in own and is_foreign:
        return ["foreign"]
    return [variant for variant in own if variant != "foreign"]


def style_of(prompt: _Row, variants: Variants) -> str:
    """Return the style of a prompt whose text a model wrote: that of its reference, or ``expressive`` in older recipes."""
    return str(prompt["style"]) if isinstance(variants, Mapping) else "expressive"


def language_of(reference: str, variant: Variant) -> str | None:
    """Return the language of a variant of a prompt, given that of its reference; None = there is no such text."""
    other = _OTHER.get(_primary(reference))
    mixed = MIXED if other else None
    languages = {"transcript": reference, "random": reference, "translation": other, "codeSwitching": mixed, "foreign": other}
    return languages[variant]


def _primary(language: str) -> str:
    return language.lower().split("-")[0]


def _is_written_in(text: str, language: str) -> bool:
    """Tell whether the scripts of a text fit its language; Chinese may hold Latin names, English no ideographs."""
    latin, ideograph = bool(_LATIN.search(text)), bool(_IDEOGRAPH.search(text))
    return {"en": latin and not ideograph, "zh": ideograph, MIXED: latin and ideograph}.get(_primary(language), True)
