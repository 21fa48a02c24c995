"""The section ``listening`` of a recipe: what people are asked to listen to, by which protocol, and whom to trust."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from annotate.people.store.terms import Terms
from contracts import plugins
from contracts.errors import RecipeError
from contracts.languages import MIXED, Language, language_of
from flows.recipe.parts import Plugin, Strict, expanded
from flows.recipe.splits_section import SplitName

if TYPE_CHECKING:
    from flows.recipe.model import Recipe

Level = Literal["none", "basic", "proficient", "native"]

VERIFIER: Final = "human_verification"
"""Filter that decides by the votes which pairs of the verified splits stay."""

PREFERENCE: Final = "cmos_to_preference"
"""Filter with which five-point votes become the labels."""


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _end_of(value: Any) -> Any:
    """Return the end of a day for a date alone; pydantic takes numbers for seconds since 1970."""
    if value is None or isinstance(value, dt.datetime):
        return value
    text = str(value).strip()
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"{text} is no date: write 2027-01-31, or 2027-01-31T18:00+01:00")
    if len(text) > len("2027-01-31"):
        return text
    return dt.datetime.combine(dt.date.fromisoformat(text), dt.time(), dt.UTC) + dt.timedelta(days=1)


def _once(value: Any) -> Any:
    """Refuse two names of one language: the last one would win in silence."""
    names: dict[str | None, str] = {}
    for name in map(str, value if isinstance(value, Mapping) else ()):
        if (other := names.setdefault(language_of(name), name)) != name and language_of(name) is not None:
            raise ValueError(f"{other!r} and {name!r} are one language, {language_of(name)}: keep one")
    return value


class Site(Strict):
    """What the pages say that only the people who run the test know."""

    title: str = "Listening test"
    contact: str = Field(default="", description="whom listeners can ask")
    pay: str = Field(default="", description="what they get for it")
    instructions: dict[Literal["en", "zh"], str] = Field(default_factory=dict, description="instead of the app's own, as text")
    consent: dict[Literal["en", "zh"], str] = Field(default_factory=dict, description="what a listener agrees to, likewise")


class Listening(Strict):
    """A listening test."""

    protocol: Annotated[Plugin, BeforeValidator(_named)] = Field(description="protocol plug-in: a name, or name and options")
    of: Literal["pairs", "splits", "samples"] = Field(
        default="splits",
        description="all pairs before the filters, the pairs of some splits to verify their labels, or all samples one by one",
    )
    splits: tuple[SplitName, ...] = Field(
        default=("rl", "bench"), min_length=1, description="of: splits = these; their pairs are released only if verified"
    )
    oversample: float = Field(
        default=1.5,
        ge=1,
        le=100,
        description="of: splits = how many times its quota of pairs is asked about, as some are not confirmed",
    )
    languages: Annotated[dict[Language, Level], BeforeValidator(_once)] = Field(
        default={"en": "proficient", "zh": "native"}, min_length=1, description="language -> least level"
    )
    gold: str | None = Field(
        default=None,
        description="CSV or JSONL with pair_id or sample_id and values; relative = beside the recipe; $VARIABLES are expanded",
    )
    gold_every: int = Field(default=10, ge=0, le=1_000_000, description="one unmarked gold item among so many; 0 = none")
    qualification: int = Field(
        default=5, ge=0, le=1_000_000, description="gold items before the first ordinary one; 0 = no test"
    )
    qualification_pass: float = Field(default=0.8, ge=0, le=1)
    lease_minutes: float = Field(
        default=30, gt=0, le=525_600, description="an item shown and not answered goes to somebody else after it"
    )
    rules: list[Plugin] = Field(default_factory=list, description="listener_rule plug-ins: who breaks one is excluded")
    verification: dict[str, Any] = Field(default_factory=dict, description="of: splits = options of filter human_verification")
    incomplete: Literal["wait", "drop"] = Field(
        default="wait",
        description="wait = for all votes, or until the test is closed; drop = what lacks votes when the build comes there",
    )
    deadline: Annotated[dt.datetime | None, BeforeValidator(_end_of)] = Field(
        default=None,
        description="incomplete: drop = wait until then all the same; a date = until its end in UTC, or a time with its zone "
        "(else UTC)",
    )
    store: str | None = Field(
        default=None,
        description="$VARIABLE that holds a postgresql:// URL; null = listening.sqlite in the workspace, if that is a folder",
    )
    site: Site = Site()

    @model_validator(mode="after")
    def _splits_are_unique(self) -> Self:
        if doubled := sorted({name for name in self.splits if self.splits.count(name) > 1}):
            raise ValueError(f"splits: {', '.join(doubled)} is named twice")
        return self

    @model_validator(mode="after")
    def _mixed_is_no_language(self) -> Self:
        if MIXED in self.languages:
            raise ValueError(f"languages: {MIXED!r} is none: it asks for all of them")
        return self

    @model_validator(mode="after")
    def _store_shows_no_login(self) -> Self:
        if self.store is not None and "@" in self.store.partition("://")[2]:
            raise ValueError("store must not show a login: put the URL into a variable and write $VARIABLE")
        if self.store is not None and not self.store.startswith(("$", "postgresql://")):
            raise ValueError("store must be a $VARIABLE that holds a postgresql:// URL, or such a URL without a login")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_ends(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is not said: a recipe without it stays the one that it was before there were such keys."""
        found: dict[str, Any] = handler(self)
        for name, value in (("incomplete", "wait"), ("deadline", None), ("oversample", 1.5)):
            if found.get(name, value) == value:
                found.pop(name, None)
        return found

    @model_validator(mode="after")
    def _deadline_ends_something(self) -> Self:
        if self.deadline is not None and self.incomplete != "drop":
            raise ValueError("deadline is for incomplete: drop")
        return self

    def is_over(self, now: dt.datetime) -> bool:
        """Say whether votes that are lacking at this time are waited for no more."""
        if self.incomplete != "drop" or self.deadline is None:
            return self.incomplete == "drop"
        return now >= (self.deadline if self.deadline.tzinfo is not None else self.deadline.replace(tzinfo=dt.UTC))

    @property
    def stage(self) -> str:
        """Name of the stage that waits for the votes."""
        return "verification" if self.of == "splits" else "votes"

    def rated(self) -> bool:
        """Say whether samples are rated, not pairs compared."""
        return self.of == "samples"


def terms_of(recipe: "Recipe") -> Terms:
    """Return what a recipe decides about its listening test.

    Raises:
        RecipeError: it has none, or an unknown protocol or option.
    """
    wish = require(recipe)
    return Terms(
        protocol=plugins.configure("protocol", wish.protocol.name, wish.protocol.options),
        protocol_name=wish.protocol.name,
        languages=wish.languages,
        lease_s=wish.lease_minutes * 60,
        gold_every=wish.gold_every,
        qualification=wish.qualification,
        qualification_pass=wish.qualification_pass,
        seed=recipe.seed,
        test=recipe.name if wish.store else "",  # a file lies in the workspace, a database may be anybody's
    )


def require(recipe: "Recipe") -> Listening:
    """Return the section.

    Raises:
        RecipeError: the recipe has none.
    """
    if recipe.listening is None:
        raise RecipeError(f"recipe {recipe.name} has no section listening: nobody is asked to listen")
    return recipe.listening


def rooted(wish: Listening | None, folder: Path) -> Listening | None:
    """Return the section with the gold file's path made absolute."""
    if wish is None or wish.gold is None:
        return wish
    gold = (folder / Path(expanded(wish.gold, "listening.gold")).expanduser()).resolve()
    return wish.model_copy(update={"gold": str(gold)})


def literals(wish: Listening | None) -> dict[str, Any] | None:
    """Return the section as literals without what differs from place to place and decides no vote."""
    ends = {"incomplete", "deadline"}  # they decide when, not what; that votes are lacking is a setting of its own
    return None if wish is None else wish.model_dump(mode="json", exclude={"store", "gold", "site", *ends})


def check_listening(recipe: "Recipe") -> None:
    """Check that the listening test fits the rest of the recipe.

    Raises:
        RecipeError: an unknown protocol or rule, a wrong option, a protocol for another number of clips, splits that the
            recipe does not make, a verification of votes that know no ``invalid``, filters of votes without votes, or votes
            on pairs without a filter that goes by them.
    """
    wish = recipe.listening
    readers = [rule.name for rule in recipe.filters if "votes" in plugins.configure("filter", rule.name, rule.options).columns]
    if readers and (wish is None or wish.of != "pairs"):
        raise RecipeError(f"filter {readers[0]!r} reads people's votes: add listening with of: pairs")
    if wish is None:
        return
    terms = terms_of(recipe)
    clips = 1 if wish.rated() else 2
    if terms.protocol.clips != clips:
        fitting = "samples" if terms.protocol.clips == 1 else "pairs or splits"
        raise RecipeError(f"listening.protocol: {wish.protocol.name!r} is for of: {fitting}, not {wish.of}")
    doubled = sorted({rule.name for rule in wish.rules if sum(other.name == rule.name for other in wish.rules) > 1})
    if doubled:
        raise RecipeError(f"listening.rules: {', '.join(doubled)} is named twice")
    for rule in wish.rules:
        plugins.configure("listener_rule", rule.name, rule.options)
    if wish.gold is not None and not re.search(r"\.(csv|jsonl)$", wish.gold):
        raise RecipeError(f"listening.gold: {wish.gold} must end in .csv or .jsonl")
    values = words_of(terms)
    if wish.of == "splits":
        made = recipe.splits.named()
        if lacking := [name for name in wish.splits if name not in made]:
            raise RecipeError(f"listening.splits: {', '.join(lacking)}: splits makes {', '.join(sorted(made))} only")
        plugins.configure("filter", VERIFIER, wish.verification)
        if "invalid" not in values:
            raise RecipeError(f"listening.protocol: {wish.protocol.name!r} cannot verify labels: take unisrm (A, B or invalid)")
        _check_votes(terms, "listening.verification", wish.verification)
    elif wish.verification:
        raise RecipeError("listening.verification is for of: splits")
    for rule in (rule for rule in recipe.filters if rule.name in readers):
        _check_reader(terms, rule)
    if wish.of == "pairs":
        _check_decided(values, readers)


def _check_decided(words: Sequence[str], readers: Sequence[str]) -> None:
    """Refuse votes on pairs that decide nothing: the labels would be the judge's, whatever people say."""
    decider = VERIFIER if "invalid" in words else PREFERENCE
    if decider not in readers:
        raise RecipeError(
            f"listening: of: pairs: people's votes would decide nothing: add {decider} to filters, which "
            + ("keeps what they confirm" if decider == VERIFIER else "makes the labels of them")
        )


def _check_reader(terms: Terms, rule: Plugin) -> None:
    """Refuse a filter of votes that cannot read those of the protocol."""
    if (rule.name == VERIFIER) != ("invalid" in words_of(terms)):
        fitting = "unisrm" if rule.name == VERIFIER else "speechjudge"
        raise RecipeError(f"filter {rule.name!r} cannot read votes by {terms.protocol_name!r}: take the protocol {fitting}")
    if rule.name == VERIFIER:
        _check_votes(terms, f"filters: {VERIFIER}", rule.options)


def _check_votes(terms: Terms, place: str, options: dict[str, Any]) -> None:
    """Refuse a verification that needs more votes than a pair ever gets: every pair would be dropped once all are in."""
    needed, asked = plugins.configure("filter", VERIFIER, options).votes, terms.protocol.wanted(())
    if needed > asked:
        raise RecipeError(f"{place}: votes: {needed} are needed, but protocol {terms.protocol_name!r} asks for {asked} a pair")


def words_of(terms: Terms) -> Sequence[str]:
    """Return the words that a vote of this test may be; none where it only rates."""
    asked = [question for question in terms.protocol.questions if question.kind == "choice" and question.about is None]
    return asked[0].options if asked and terms.protocol.clips == 2 else ()
