"""The stage ``writings``: what language models write about the prompts: scenes, negative texts, critiques."""

from typing import Final

from annotate.models.parse.negatives import suits
from flows.recipe.preference_recipe import PreferenceRecipe
from flows.run.books import Books
from flows.run.pipeline import Asking, Build, Stage
from flows.run.question import literals
from flows.run.questions import ask_missing, needs_history, roles_about, scripting_roles, writing_questions, writings
from flows.run.wanted import table_of
from flows.run.work import count_done


def _writings(build: Build[PreferenceRecipe]) -> Books:
    """Ask role by role: each sees what those before it wrote."""
    for number in range(len(roles_about(build, "prompts"))):
        ask_missing(build, "writings", table_of("writings"), writing_questions(build)[: number + 1])
    return count_done(build, "writings")


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
    settings=lambda build: asked_of_roles(build, scripting=False),
    run=_writings,
    asks=Asking(
        after=("texts",),
        table=table_of("writings"),
        roles=lambda build: roles_about(build, "prompts"),
        questions=writing_questions,
    ),
)
