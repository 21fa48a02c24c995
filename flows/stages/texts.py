"""The stage ``texts``: language models clean texts or write new ones, and the prompts become what is spoken."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from contracts.joins import among, sorted_by
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books, count
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import RoleQuestion
from flows.run.questions import ask_missing, prompt_requests, scripting_roles
from flows.run.wanted import table_of
from flows.stages.writings import asked_of_roles
from synth.scripts import OF_RECORDINGS, STYLE_CONTINUATION, scripts, variants_of

_LONGEST_REASON: Final = 300
"""Characters of what a drop repeats of the failure behind it."""

_OF_VARIANTS: Final = ("style", "language", "reference_language")

CHOSEN: Final = "prompts@chosen"
"""The prompts as they come from the corpora; table ``prompts`` has them as they are spoken."""


def script_questions(build: Build[PreferenceRecipe]) -> list[RoleQuestion]:
    """Return the questions of the stage ``texts``."""
    roles = scripting_roles(build)
    chosen = build.tables.read(CHOSEN)
    requests = prompt_requests(build, chosen)
    # What is continued is the reference's text, in the reference's language.
    spoken = pc.coalesce(requests["reference_language"], requests["language"])
    continued = requests.set_column(requests.column_names.index("language"), "language", spoken)
    questions = []
    for role in roles:
        rows = continued if role.task == STYLE_CONTINUATION else requests
        wanted = asked_about(build, chosen, role.task)["prompt_id"].combine_chunks()
        rows = rows.filter(pc.is_in(rows["subject_id"], value_set=wanted))
        questions.append(RoleQuestion(role=role, requests=rows))
    return questions


def asked_about(build: Build[PreferenceRecipe], chosen: pa.Table, task: str) -> pa.Table:
    """Return the chosen prompts of which a task makes a text: transcripts are cleaned, references are continued."""
    variants, wanted = build.recipe.prompts.spoken, list[bool]()
    if not isinstance(variants, Mapping):
        return chosen
    for prompt in chosen.select(list(_OF_VARIANTS)).to_pylist():
        found = set(variants_of(prompt, variants))
        wanted.append(bool(found - OF_RECORDINGS if task == STYLE_CONTINUATION else found & OF_RECORDINGS))
    return chosen.filter(pa.array(wanted, pa.bool_()))


def _texts(build: Build[PreferenceRecipe]) -> Books:
    """Have texts cleaned or invented, and make the prompts that are spoken."""
    ask_missing(build, "texts", table_of("texts"), script_questions(build))
    spoken, drops = scripted(build)
    variants = build.recipe.prompts.spoken
    rows_in = sum(len(variants_of(prompt, variants)) for prompt in build.tables.read(CHOSEN, _OF_VARIANTS).to_pylist())
    build.tables.replace("drops@texts", drops)
    build.tables.replace("prompts", spoken)
    return Books(
        stage="texts",
        unit="texts",
        rows_in=rows_in,
        rows_out=spoken.num_rows,
        dropped=count(drops["reason"]),
    )


def scripted(build: Build[PreferenceRecipe]) -> tuple[pa.Table, pa.Table]:
    """Return the prompts as they are spoken and the drops, of the chosen prompts and what was written about them, by id."""
    questions = script_questions(build)
    ids = pa.chunked_array([question.ids for question in questions], pa.string())
    written = among(build.tables.read(table_of("texts")), "writing_id", ids)
    cleaned = any(question.task.name == "clean_text" for question in questions)
    section = build.recipe.prompts
    failed = among(build.tables.read("failures@texts", ["row_id", "subject_id", "reason", "message"]), "row_id", ids)
    spoken, drops = scripts(
        build.tables.read(CHOSEN),
        written,
        cleaned=cleaned,
        variants=section.spoken,
        targets=section.targets,
        refused={row["subject_id"]: f"{row['reason']}: {row['message']}"[:_LONGEST_REASON] for row in failed.to_pylist()},
    )
    return sorted_by(spoken, "prompt_id"), sorted_by(drops, "row_id")


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="texts",
    reads=("utterances", CHOSEN),
    writes=("wanted@texts", "prompts", table_of("texts"), "failures@texts", "drops@texts"),
    settings=lambda build: [
        build.recipe.prompts.variants_literals(),
        asked_of_roles(build, scripting=True),
        *(["recordings"] if build.recipe.prompts.targets == "recordings" else []),
    ],
    run=_texts,
    asks=Asking(after=("prompts",), table=table_of("texts"), roles=scripting_roles, questions=script_questions),
)
