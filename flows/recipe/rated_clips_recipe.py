"""Recipes of kind ``rated_clips``: clips of corpora with scores on named scales, and in words."""

import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.errors import RecipeError
from contracts.text_forms import keyed
from filters.single_clips import SEEN
from flows.recipe.listening_checks import terms_of
from flows.recipe.model import Origin, Recipe
from flows.recipe.role_checks import check_role
from flows.recipe.sections import HeardAudio, Role
from scoring.feature import features_of
from synth.dsp import OriginalFormat

_ORIGINS = ("ratings", "votes", "judge")


def _scale(name: str) -> str:
    """Return the name of a scale as readers write it."""
    if not (written := unicodedata.normalize("NFC", keyed(name))):
        raise ValueError("the name of a scale is blank")
    return written


def _as_mapping(value: Any) -> Any:
    """Return the scales of each score as a list, also where the scores are a list or have one scale each."""
    if isinstance(value, list | tuple):
        return {name: [name] for name in value}
    if isinstance(value, dict):
        return {name: scales if isinstance(scales, list | tuple) else [scales] for name, scales in value.items()}
    return value


_Scale = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_scale)]
_Scales = Annotated[tuple[_Scale, ...], Field(min_length=1)]


class RatedClipsRecipe(Recipe):
    """A recipe of kind ``rated_clips``."""

    kind: str = "rated_clips"
    audio: HeardAudio = HeardAudio()
    scales: Annotated[dict[_Scale, _Scales], BeforeValidator(_as_mapping), Field(min_length=1)] = Field(
        description="the scores of a clip: a list of scales, or name of the score -> scale that it is rated on; of several, as "
        "where corpora name it differently, the first one on which the clip is rated"
    )
    task: str | None = Field(
        default=None, description="task plug-in in whose form rows are written and asked; null = rows have scores alone"
    )
    rounded: bool | None = Field(
        default=None, description="scores are whole numbers, halves up; null = where labels come from votes and there is a task"
    )
    judge: Role | None = Field(default=None, description="who scores the clips where labels.from is judge")

    rationale: Role | None = Field(
        default=None, description="who explains the scores by measured features, where the form of the task has them"
    )

    @model_validator(mode="after")
    def _labels_have_a_source(self) -> Self:
        if self.labels_from not in _ORIGINS:
            raise ValueError(
                f"labels.from: rated clips are scored by {', '.join(_ORIGINS)}: {self.labels_from} is none of them"
            )
        if (self.labels_from == "judge") != (self.judge is not None):
            raise ValueError("judge: is for labels.from: judge, and needed there")
        return self

    @property
    def clip_format(self) -> OriginalFormat:
        """Clips as they were heard, at one rate."""
        return self.audio.clip_format

    @property
    def labels_from(self) -> Origin:
        """The source of the scores: the corpora's ratings, unless the recipe says otherwise."""
        return "ratings" if self.labels is None else self.labels.origin

    @property
    def compares(self) -> bool:
        """Clips are rated one by one."""
        return False

    @property
    def writers(self) -> Sequence[Role]:
        """The judge, or who explains the scores."""
        return [role for role in (self.judge, self.rationale) if role is not None]

    @property
    def form(self) -> TaskSpec | None:
        """The task in whose form rows are written."""
        return None if self.task is None else plugins.configure("task", self.task)

    @property
    def scores(self) -> dict[str, tuple[str, ...]]:
        """Name of each score -> scales that it is rated on, in the order of the task."""
        return self.scales if self.form is None else {one.key: self.scales[one.key] for one in self.form.dimensions}

    @property
    def is_rounded(self) -> bool:
        """Whether scores are rounded to whole numbers."""
        return self.labels_from == "votes" and self.task is not None if self.rounded is None else self.rounded


def check(recipe: RatedClipsRecipe) -> None:
    """Check what one field alone does not show.

    Raises:
        RecipeError: a task that does not score these clips, a judge that cannot be asked, a listening test that does not rate
            them, or a filter of pairs.
    """
    form = recipe.form
    if form is not None:
        _check_form(recipe, form)
    if recipe.judge is not None:
        _check_judge(recipe, recipe.judge)
    _check_rationale(recipe, form)
    _check_listening(recipe)
    check_filters(recipe)


def _check_form(recipe: RatedClipsRecipe, form: TaskSpec) -> None:
    if form.subject != "samples" or form.compose is None:
        fitting = [name for name, task in plugins.intact("task").items() if task.subject == "samples" and task.compose]
        raise RecipeError(f"task: {form.name!r} is no form of rated clips: take {' or '.join(fitting)}")
    wanted = [dimension.key for dimension in form.dimensions]
    if set(recipe.scales) != set(wanted):
        raise RecipeError(f"scales: task {form.name!r} scores {', '.join(wanted)}; got {', '.join(recipe.scales)}")


def _check_judge(recipe: RatedClipsRecipe, role: Role) -> None:
    if role.task != recipe.task:
        raise RecipeError(
            f"judge.task is {role.task!r}, and task is {recipe.task!r}: set both to the task that scores the clips"
        )
    check_role(role, "samples")


def _check_rationale(recipe: RatedClipsRecipe, form: TaskSpec | None) -> None:
    """Refuse a form of measured features without somebody who writes on them, and the other way round."""
    role, has_features = recipe.rationale, form is not None and "features" in form.gives
    fitting = [name for name, one in plugins.intact("task").items() if one.subject == "assessments"]
    if role is None:
        if has_features:
            raise RecipeError(f"task {recipe.task!r} has measured features: add rationale, with task: {' or '.join(fitting)}")
        return
    task: TaskSpec = plugins.configure("task", role.task)
    if task.subject != "assessments":
        raise RecipeError(f"rationale.task: {role.task!r} is about {task.subject}: take {' or '.join(fitting)}")
    if form is None or not {"features", *task.gives} <= set(form.gives):
        fitting = [name for name, one in plugins.intact("task").items() if {"features", *task.gives} <= set(one.gives)]
        raise RecipeError(f"rationale: task {recipe.task!r} has no place for it: take task: {' or '.join(fitting)}")
    if recipe.judge is not None:
        raise RecipeError("rationale: the judge writes its own reasons: leave one of them out")
    if not any(features_of(metric.name) for metric in recipe.metrics):
        measuring = [name for name in plugins.intact("metric", plugins.load) if features_of(name)]
        raise RecipeError(f"rationale: nothing is measured that it could cite: add metrics {' and '.join(measuring)}")
    check_role(role, "assessments")


def _check_listening(recipe: RatedClipsRecipe) -> None:
    section = recipe.listening
    if section is None:
        if recipe.labels_from == "votes":
            raise RecipeError("labels.from is votes: add listening with of: samples and the protocol rating")
        return
    if not section.rated():
        raise RecipeError(f"listening.of: is {section.of}, but the items are single clips: set it to samples")
    if recipe.labels_from != "votes":
        raise RecipeError("listening: people's ratings would decide nothing: set labels: {from: votes}, or leave listening out")
    asked = {question.name for question in terms_of(recipe).protocol.questions}
    if missing := [name for name, scales in recipe.scales.items() if not asked & set(scales)]:
        known = ", ".join(sorted(asked))
        raise RecipeError(f"scales: listeners are not asked about {', '.join(missing)}; the protocol asks about {known}")


def check_filters(recipe: Recipe) -> None:
    """Refuse filters that look at more than single clips and their measurements.

    Raises:
        RecipeError: there is one.
    """
    measured = {value for metric in recipe.metrics for value in plugins.load("metric", metric.name).value_names}
    for rule in recipe.filters:
        reads = plugins.configure("filter", rule.name, rule.options).columns
        if unknown := sorted({*reads} - SEEN - measured):
            raise RecipeError(
                f"filter {rule.name!r} reads {', '.join(unknown)}, which nothing says of single clips; there are "
                f"{', '.join(sorted(SEEN | measured))}"
            )
