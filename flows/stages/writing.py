"""The stages in which language models write: which texts are spoken, and what else is said of them."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.parse.negatives import suits
from contracts.joins import among, sorted_by
from flows.recipe.checks import NEGATIVES
from flows.run.books import Books, count
from flows.run.pipeline import Build, Stage
from flows.run.questions import (
    Question,
    answered,
    ask_missing,
    literals,
    prompt_requests,
    roles_about,
    scripting_roles,
    writing_questions,
    writings,
)
from flows.run.wanted import WRITTEN
from synth.scripts import scripts

CHOSEN: Final = "prompts@chosen"
"""The prompts as they come from the corpora; table ``prompts`` has them as they are spoken."""

SCRIPTED: Final = "writings@texts"
"""What models wrote about the chosen prompts, of which texts are made."""


def script_questions(build: Build) -> list[Question]:
    """Return the questions of the stage ``texts``."""
    roles = scripting_roles(build)
    requests = prompt_requests(build, build.tables.read(CHOSEN))
    # What is continued is the reference's text, in the reference's language.
    spoken = pc.replace_substring_regex(requests["setting"], "2.*", "")
    continued = requests.set_column(requests.column_names.index("language"), "language", spoken)
    return [Question(role=role, requests=continued if role.task == "style_continuation" else requests) for role in roles]


def _texts(build: Build) -> Books:
    """Have texts cleaned or invented, and make the prompts that are spoken."""
    ask_missing(build, "texts", SCRIPTED, script_questions(build))
    spoken, drops = scripted(build)
    build.tables.replace("drops@texts", drops)
    build.tables.replace("prompts", spoken)
    return Books(
        stage="texts",
        unit="texts",
        rows_in=build.tables.num_rows(CHOSEN) * len(build.recipe.prompts.variants),
        rows_out=spoken.num_rows,
        dropped=count(drops["reason"]),
    )


def scripted(build: Build) -> tuple[pa.Table, pa.Table]:
    """Return the prompts as they are spoken and the drops, of the chosen prompts and what was written about them, by id."""
    questions = script_questions(build)
    ids = pa.chunked_array([question.ids for question in questions], pa.string())
    written = among(build.tables.read(SCRIPTED), "writing_id", ids)
    cleaned = any(question.task.name == "clean_text" for question in questions)
    spoken, drops = scripts(build.tables.read(CHOSEN), written, cleaned=cleaned, variants=build.recipe.prompts.variants)
    return sorted_by(spoken, "prompt_id"), sorted_by(drops, "row_id")


def _writings(build: Build) -> Books:
    """Ask role by role: each is told what those before it wrote."""
    for number in range(len(roles_about(build, "prompts"))):
        ask_missing(build, "writings", WRITTEN, writing_questions(build)[: number + 1])
    return writing_books(build)


def writing_books(build: Build) -> Books:
    """Count the writings about prompts."""
    return answered(build, "writings", WRITTEN, writing_questions(build), "writings")


def spoken_instead(build: Build) -> dict[str, dict[str, str]]:
    """Return role -> prompt -> the text that is spoken instead of the target's; only texts that serve as one."""
    wanted = {system.speaks for system in build.recipe.systems} & NEGATIVES
    if not wanted:
        return {}
    prompts = build.tables.read("prompts")
    originals = {row["prompt_id"]: row for row in prompts.select(["prompt_id", "text", "language"]).to_pylist()}
    texts: dict[str, dict[str, str]] = {}
    for number, role in enumerate(roles_about(build, "prompts")):
        if role.task in wanted:
            texts[role.task] = {
                prompt: content["text"]
                for prompt, content in writings(build, number).items()
                if suits(originals[prompt]["text"], content["text"], originals[prompt]["language"]) is None
            }
    return texts


def _asked(build: Build, *, scripting: bool) -> object:
    roles = scripting_roles(build) if scripting else roles_about(build, "prompts")
    return [[literals(role) for role in roles], build.recipe.prompts.longest_history]


WRITING: tuple[Stage, ...] = (
    Stage(
        name="texts",
        reads=("utterances", CHOSEN),
        writes=("wanted@texts", "prompts", SCRIPTED, "failures@texts", "drops@texts"),
        settings=lambda build: [list(build.recipe.prompts.variants), _asked(build, scripting=True)],
        run=_texts,
    ),
    Stage(
        name="writings",
        reads=("utterances", "prompts"),
        writes=("wanted@writings", WRITTEN, "failures@writings"),
        settings=lambda build: _asked(build, scripting=False),
        run=_writings,
        count=writing_books,
    ),
)
