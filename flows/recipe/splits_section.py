"""The section ``splits`` of a recipe: names, sizes and conditions of the splits."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from contracts.errors import RecipeError
from contracts.languages import Language
from flows.recipe.parts import Name, Strict
from splits.quotas import Size, apportion, check


def _is_no_union(name: str) -> str:
    if name == "all":
        raise ValueError("no split can be named 'all': that is what the datasets library calls all of them together")
    return name


SplitName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64), AfterValidator(_is_no_union)]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Quota = Annotated[int, Field(gt=0, le=1_000_000_000)]


class Condition(Strict):
    """Conditions on the items of a split: all that are given must be met."""

    agreement: Annotated[tuple[Literal["FA", "WA", "WD"], ...], Field(min_length=1)] | None = Field(
        default=None, description="level of agreement of the listeners"
    )
    teacher: Literal["right", "wrong"] | None = Field(
        default=None, description="whether the judge chose what the listeners chose"
    )
    corpus_split: Words | None = Field(default=None, description="split that the corpus itself puts the target's recording in")
    language: Words | None = None
    setting: Words | None = None
    style: Words | None = None
    corpus: Words | None = None

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Return name -> allowed values."""
        given = self.model_dump(exclude_none=True)
        return {name: (values,) if isinstance(values, str) else tuple(values) for name, values in given.items()}

    def of_corpora(self) -> dict[str, tuple[str, ...]]:
        """Return the conditions on what corpora say, without those on what judges and listeners made of it."""
        return {name: values for name, values in self.wanted().items() if name not in {"agreement", "teacher"}}

    def rests_on_votes(self) -> bool:
        """Tell whether it needs people's votes on all pairs."""
        return self.agreement is not None or self.teacher is not None


class Stratum(Strict):
    """Items of a split that are alike in what is named, and how many of them it gets: no more, and none in their place."""

    quota: Quota
    language: Language | None = None
    setting: str | None = None
    style: str | None = None
    corpus: str | None = None

    @model_validator(mode="after")
    def _is_about_something(self) -> Self:
        if not self.condition():
            raise ValueError("say of which items: language, setting, style or corpus")
        return self

    @property
    def name(self) -> str:
        """Its name in messages, such as ``en/regular``."""
        return "/".join(values[0] for values in self.condition().values())

    def condition(self) -> dict[str, tuple[str, ...]]:
        """Return name -> the only allowed value."""
        return {name: (value,) for name, value in self.model_dump(exclude={"quota"}, exclude_none=True).items()}


class ByTeacher(Strict):
    """The two splits that one becomes, by whether its teacher prefers what people prefer."""

    right: SplitName = Field(description="items on which the teacher chose as people did; its reply is the completion")
    wrong: SplitName = Field(description="all others: it chose the other clip, or none, or its reply could not be used")


class SplitSection(Strict):
    """One split."""

    fraction: Fraction | None = Field(default=None, description="of what quotas leave; the fractions add up to 1")
    quota: Quota | Annotated[dict[Name, Quota], Field(min_length=1)] | None = Field(
        default=None, description="in pairs; or corpus -> pairs, where pairs are drawn: other corpora have none"
    )
    strata: tuple[Stratum, ...] | None = Field(
        default=None,
        min_length=1,
        exclude_if=lambda strata: strata is None,  # recipes from before the key keep their literals
        description="in place of a quota: so many items of each sort, [{style: regular, language: en, quota: 200}]",
    )
    where: Condition = Condition()
    by_teacher: ByTeacher | None = Field(
        default=None,
        exclude_if=lambda section: section is None,
        description="the judge is asked after the labels, about this split only, and divides it: {right: sft, wrong: rl}",
    )
    allow_empty: bool = Field(default=False, description="go on where no pair at all meets its conditions on the corpora")

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the key at its default, so that recipes from before it keep their literals."""
        found: dict[str, Any] = handler(self)
        if not found.get("allow_empty"):
            found.pop("allow_empty", None)
        return found

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        self.size()
        return self

    @model_validator(mode="after")
    def _strata_differ(self) -> Self:
        conditions = [stratum.condition() for stratum in self.strata or ()]
        if doubled := next((one for one in conditions if conditions.count(one) > 1), None):
            raise ValueError(f"strata: {doubled} is there twice")
        if self.strata is not None and self.quota is not None:
            raise ValueError("strata: say how many items the split gets: leave quota out")
        return self

    def size(self) -> Size:
        """Return its size."""
        quota = sum(self.by_corpus.values()) if isinstance(self.quota, dict) else self.quota
        if self.strata is not None:
            quota = sum(stratum.quota for stratum in self.strata)
        return Size(fraction=self.fraction, quota=quota)

    @property
    def by_corpus(self) -> dict[str, int]:
        """Corpus -> quota, where the quota names corpora."""
        return self.quota if isinstance(self.quota, dict) else {}

    def quota_of(self, corpora: Collection[str]) -> dict[str, int]:
        """Return how many rows of each of these corpora it gets: a quota that names none is divided evenly over them."""
        if isinstance(self.quota, dict):
            return {corpus: self.quota[corpus] for corpus in corpora if corpus in self.quota}
        return apportion(self.quota or 0, dict.fromkeys(sorted(corpora), 1)) if corpora else {}


class Splits(Strict):
    """How kept pairs are divided: by fractions or quotas alone, or split by split."""

    fractions: dict[SplitName, Fraction] | None = None
    quotas: dict[SplitName, Quota] | None = None
    sets: dict[SplitName, SplitSection] | None = Field(
        default=None, description="splits with a fraction or a quota each, and conditions"
    )
    stratify_by: tuple[Literal["language", "setting", "style", "corpus"], ...] = Field(
        default=("setting", "style"), description="each quota is divided over these in proportion"
    )

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        if sum(given is not None for given in (self.fractions, self.quotas, self.sets)) != 1:
            raise ValueError("give one of fractions, quotas and sets")
        if not self.named():
            raise ValueError("name at least one split")
        check({name: split.size() for name, split in self.named().items()})
        return self

    @model_validator(mode="after")
    def _one_teacher_divides(self) -> Self:
        taught = {name: split.by_teacher for name, split in self.named().items() if split.by_teacher is not None}
        if len(taught) > 1:
            raise ValueError(f"by_teacher: divides one split, not {' and '.join(taught)}")
        for name, parts in taught.items():
            if len({parts.right, parts.wrong, *self.named()}) < 2 + len(self.named()):
                raise ValueError(f"sets.{name}.by_teacher: {parts.right} and {parts.wrong} must be names of no other split")
            if asking := [other for other, split in self.named().items() if split.where.teacher is not None]:
                raise ValueError(f"sets.{asking[0]}.where: the teacher is asked after the splits (by_teacher): leave it out")
        return self

    @property
    def taught(self) -> str | None:
        """The split that a teacher's replies divide; None = there is none."""
        return next((name for name, split in self.named().items() if split.by_teacher is not None), None)

    def released(self) -> dict[str, str]:
        """Return split as it is released -> the split that was assigned: itself, or the one that a teacher divides."""
        found = dict[str, str]()
        for name, split in self.named().items():
            parts = [name] if split.by_teacher is None else [split.by_teacher.right, split.by_teacher.wrong]
            found |= dict.fromkeys(parts, name)
        return found

    def named(self) -> dict[str, SplitSection]:
        """Return the splits by name, in the recipe's order."""
        if self.sets is not None:
            return dict(self.sets)
        if self.fractions is not None:
            return {name: SplitSection(fraction=share) for name, share in self.fractions.items()}
        return {name: SplitSection(quota=quota) for name, quota in (self.quotas or {}).items()}

    def with_quotas(self, quotas: Mapping[str, int]) -> "Splits":
        """Return the same splits, on the same conditions, with these sizes in place of theirs.

        Raises:
            RecipeError: there is no size for each of them, or one too many.
        """
        named = self.named()
        if set(quotas) != set(named):
            raise RecipeError(f"quotas: name the splits of the recipe, {', '.join(named)}, not {', '.join(quotas)}")
        if self.sets is None:
            return self.model_copy(update={"quotas": dict(quotas), "fractions": None})
        if stratified := [name for name, one in named.items() if one.strata is not None]:
            raise RecipeError(f"quotas: the size of {stratified[0]} is given by its strata in the recipe")
        sets = {name: one.model_copy(update={"fraction": None, "quota": quotas[name]}) for name, one in named.items()}
        return self.model_copy(update={"sets": sets})
