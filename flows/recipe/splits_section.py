"""The section ``splits`` of a recipe: names, sizes and conditions of the splits."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from contracts.errors import RecipeError
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


class SplitSection(Strict):
    """One split."""

    fraction: Fraction | None = Field(default=None, description="of what quotas leave; the fractions add up to 1")
    quota: Quota | Annotated[dict[Name, Quota], Field(min_length=1)] | None = Field(
        default=None, description="in pairs; or corpus -> pairs, where pairs are drawn: other corpora have none"
    )
    where: Condition = Condition()
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

    def size(self) -> Size:
        """Return its size."""
        quota = sum(self.by_corpus.values()) if isinstance(self.quota, dict) else self.quota
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
        sets = {name: one.model_copy(update={"fraction": None, "quota": quotas[name]}) for name, one in named.items()}
        return self.model_copy(update={"sets": sets})
