"""The section ``listening`` of a recipe: what listeners are asked about, by which protocol, and whose votes count."""

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from contracts.languages import MIXED, Language, base_language, language_of
from flows.recipe.parts import Plugin, Strict, expanded
from flows.recipe.splits_section import SplitName

Level = Literal["none", "basic", "proficient", "native"]

VERIFIER: Final = "human_verification"
"""Filter that decides by the votes which pairs of the verified splits are kept; ``listening.verification`` has its options."""


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
    """Refuse two names of one language: the last one would silently win."""
    names: dict[str | None, str] = {}
    for name in map(str, value if isinstance(value, Mapping) else ()):
        if (other := names.setdefault(language_of(name), name)) != name and language_of(name) is not None:
            raise ValueError(f"{other!r} and {name!r} are one language, {language_of(name)}: keep one")
    return value


def _made(value: Any) -> Any:
    return {} if value == "made" else value


class MadeGold(Strict):
    """Gold items that the build makes: a clip of its own against the same clip with noise, or cut in half."""

    made: int = Field(default=20, ge=1, le=10_000, description="how many in each language")


PageLanguage = Annotated[Literal["en", "zh"], BeforeValidator(lambda tag: base_language(str(tag)))]
"""Language of the pages, in any way that a tag names it: zh-Hans, zh-TW."""


class SiteSection(Strict):
    """Texts of the pages, by those who run the test."""

    title: str = "Listening test"
    contact: str = Field(default="", description="whom listeners can ask")
    pay: str = Field(default="", description="what they get for it, in words")
    pay_per_item: float | None = Field(
        default=None,
        gt=0,
        le=1_000_000,
        exclude_if=lambda pay: pay is None,  # recipes from before the key keep their literals
        description="what they get for each answer, tests included (UniSRM paid about 1.05 CNY)",
    )
    currency: Annotated[str, Field(pattern=r"[A-Z]{3}")] = Field(
        default="CNY", exclude_if=lambda currency: currency == "CNY", description="ISO 4217"
    )
    instructions: dict[PageLanguage, str] = Field(default_factory=dict, description="instead of the app's own, as text")
    consent: dict[PageLanguage, str] = Field(default_factory=dict, description="what a listener agrees to, likewise")


class Listening(Strict):
    """A listening test."""

    protocol: Annotated[Plugin, BeforeValidator(_named)] = Field(description="protocol plug-in: a name, or name and options")
    of: Literal["pairs", "splits", "samples", "check", "critiques"] = Field(
        default="splits",
        description="all pairs before the filters, the pairs of some splits to verify their labels, all samples one by one, or "
        "some labelled pairs or kept critiques, chosen at random, to report how far people agree with them",
    )
    check_pairs: int = Field(
        default=100, ge=1, le=1_000_000, description="of: check, critiques = of so many labelled pairs, or critiques of pairs"
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
    gold: Annotated[str | MadeGold | None, BeforeValidator(_made)] = Field(
        default=None,
        description="CSV or JSONL with pair_id, sample_id or judgment_id and values; relative = beside the recipe; $VARIABLES "
        "are expanded. made, or made: 20 = the build makes so many in each language",
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
    budget_pay: float | None = Field(
        default=None,
        gt=0,
        exclude_if=lambda budget: budget is None,
        description="what all answers may cost, at site.pay_per_item: no more items are assigned or exported beyond it",
    )
    store: str | None = Field(
        default=None,
        description="$VARIABLE that holds a postgresql:// URL; null = listening.sqlite in the workspace, if that is a folder",
    )
    site: SiteSection = SiteSection()

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
        """Leave out keys at their defaults, so that recipes from before these keys keep their literals."""
        found: dict[str, Any] = handler(self)
        for name, value in (("incomplete", "wait"), ("deadline", None), ("oversample", 1.5), ("check_pairs", 100)):
            if found.get(name, value) == value:
                found.pop(name, None)
        return found

    @model_validator(mode="after")
    def _deadline_ends_something(self) -> Self:
        if self.deadline is not None and self.incomplete != "drop":
            raise ValueError("deadline is for incomplete: drop")
        return self

    @model_validator(mode="after")
    def _budget_is_of_pay(self) -> Self:
        if self.budget_pay is not None and self.site.pay_per_item is None:
            raise ValueError("budget_pay: write site.pay_per_item, too: what each answer takes of it")
        return self

    @model_validator(mode="after")
    def _made_gold_suffices(self) -> Self:
        if isinstance(self.gold, MadeGold) and self.gold.made < self.qualification:
            raise ValueError(
                f"gold: made: {self.gold.made} is less than qualification: {self.qualification}, so nobody could qualify"
            )
        return self

    def is_over(self, now: dt.datetime) -> bool:
        """Tell whether the build no longer waits for missing votes at that time."""
        if self.incomplete != "drop" or self.deadline is None:
            return self.incomplete == "drop"
        return now >= (self.deadline if self.deadline.tzinfo is not None else self.deadline.replace(tzinfo=dt.UTC))

    @property
    def stage(self) -> str:
        """Name of the stage that waits for the votes."""
        return {"splits": "verification", "check": "label_check", "critiques": "critique_check"}.get(self.of, "votes")

    @property
    def subjects(self) -> str:
        """What people answer about, in the plural."""
        return {"samples": "clips", "critiques": "critiques"}.get(self.of, "pairs")

    @property
    def key(self) -> str:
        """Name of the id of what people answer about."""
        return {"samples": "sample_id", "critiques": "judgment_id"}.get(self.of, "pair_id")

    def rated(self) -> bool:
        """Tell whether samples are rated instead of pairs compared."""
        return self.of == "samples"


def rooted(section: Listening | None, folder: Path) -> Listening | None:
    """Return the section with the gold file's path made absolute."""
    if section is None or not isinstance(section.gold, str):
        return section
    gold = (folder / Path(expanded(section.gold, "listening.gold")).expanduser()).resolve()
    return section.model_copy(update={"gold": str(gold)})


def literals(section: Listening | None) -> dict[str, Any] | None:
    """Return the section as literals, without settings of a machine that change no vote."""
    ends = {
        "incomplete",
        "deadline",
        "budget_pay",
    }  # they decide when votes count, not which; missing votes are a setting of their own
    return None if section is None else section.model_dump(mode="json", exclude={"store", "gold", "site", *ends})
