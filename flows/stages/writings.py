"""The stage ``writings``: what language models write about the prompts: scenes, negative texts, critiques."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from annotate.models.parse.negatives import suits
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import RoleQuestion, literals
from flows.run.questions import ask_missing, needs_history, roles_about, scripting_roles, writing_questions, writings
from flows.run.wanted import table_of
from flows.run.work import count_done
from flows.stages.speaking import candidate_literals, clips_of
from synth.requests import TARGET


def _writings(build: Build[PreferenceRecipe]) -> Books:
    """Ask role by role: each sees what those before it wrote."""
    only = _of_tables(build)
    for number in range(len(roles_about(build, "prompts"))):
        ask_missing(build, "writings", table_of("writings"), writing_questions(build, only)[: number + 1])
    return count_done(build, "writings")


def _questions(build: Build[PreferenceRecipe]) -> list[RoleQuestion]:
    return writing_questions(build, _of_tables(build))


def _of_tables(build: Build[PreferenceRecipe]) -> dict[str, pa.Array]:
    return prompts_of_negatives(build, build.tables.read("prompts"), build.tables.read("utterances"))


def _spoken_by_negatives(build: Build[PreferenceRecipe]) -> list[str]:
    """Return the tasks whose texts negatives speak."""
    return sorted({one.speaks for one in build.recipe.negatives} - {TARGET})


def prompts_of_negatives(build: Build[PreferenceRecipe], prompts: pa.Table, utterances: pa.Table) -> dict[str, pa.Array]:
    """Return task -> the prompts whose negative speaks what the task writes; it is asked for these alone.

    Which negative a prompt gets does not hang on what is written. Tasks whose texts no negative speaks are not named.

    Args:
        build: the build.
        prompts: table of schema PROMPTS.
        utterances: table of schema UTTERANCES.
    """
    tasks = _spoken_by_negatives(build)
    if not tasks:
        return {}
    # The task's own name stands for each of its texts, so that the clips say which task they need.
    named = {task: dict.fromkeys(prompts["prompt_id"].to_pylist(), task) for task in tasks}
    clips = clips_of(build, prompts, utterances, named)
    spoken = clips.filter(pc.is_valid(clips["voice"]))  # recordings have none
    return {
        task: spoken.filter(pc.equal(spoken["spoken_text"], task))["subject_id"].combine_chunks().unique() for task in tasks
    }


def _settings(build: Build[PreferenceRecipe]) -> object:
    roles = asked_of_roles(build, scripting=False)
    return [roles, candidate_literals(build)] if _spoken_by_negatives(build) else roles


def spoken_instead(build: Build[PreferenceRecipe]) -> dict[str, dict[str, str]]:
    """Return role -> prompt -> the text that is spoken instead of the target's; only texts that serve as one."""
    recipe = build.recipe
    wanted = {*(one.speaks for one in recipe.systems), *(one.speaks for one in recipe.negatives)} - {"target"}
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


def asked_of_roles(build: Build[PreferenceRecipe], *, scripting: bool) -> object:
    """Return all that decides what roles write: those that decide the texts, or all others about prompts."""
    roles = scripting_roles(build) if scripting else roles_about(build, "prompts")
    return [[literals(role) for role in roles], needs_history(build), build.recipe.longest_history]


STAGE: Final[Stage[PreferenceRecipe]] = Stage(
    name="writings",
    reads=("utterances", "prompts"),
    writes=("wanted@writings", table_of("writings"), "failures@writings"),
    settings=_settings,
    run=_writings,
    asks=Asking(
        after=("texts",),
        table=table_of("writings"),
        roles=lambda build: roles_about(build, "prompts"),
        questions=_questions,
    ),
)
