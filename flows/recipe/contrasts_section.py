"""The sections ``positives`` and ``negatives`` of a recipe: of each text one good clip and one that is worse in a known way."""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.errors import RecipeError
from contracts.ids import digest
from flows.recipe.parts import Emotion, Name, Strict
from flows.recipe.prompts_section import Prompts
from flows.recipe.sections import System
from synth.borrowing import Borrowed
from synth.contrasts import Source
from synth.requests import TARGET

_Relation = Literal["same", "other", "any"]


class BorrowedSection(Strict):
    """A recording, by how it relates to the recording of the text."""

    corpus: Name | None = Field(default=None, description="corpus; null = that of the text")
    text: _Relation = "any"
    speaker: _Relation = "any"
    emotion: _Relation = "any"
    unlabelled: Emotion | None = Field(
        default=None, description="emotion of recordings whose corpus labels none, such as neutral; null = unknown"
    )

    @property
    def differs(self) -> bool:
        """Whether it differs from the recording of the text in what can be heard."""
        return "other" in {self.text, self.speaker, self.emotion}

    @property
    def is_the_speaker(self) -> bool:
        """Whether it is surely of the text's speaker, and not of another emotion on purpose."""
        return self.speaker == "same" and self.emotion != "other"

    def borrowed(self) -> Borrowed:
        """Return it as the choice of recordings takes it."""
        return Borrowed(**self.model_dump())


class ClipSource(Strict):
    """One way to make a clip of a text."""

    share: float = Field(default=1.0, gt=0, le=1e6, description="how often, beside the other ways")
    systems: tuple[Name, ...] = Field(default=(), description="systems, of which one speaks it; none = a recording")
    reference: BorrowedSection | None = Field(
        default=None,
        description="recording whose voice is cloned; null = the prompt's reference. A system that clones nobody speaks unless "
        "the same speaker is asked for, or an emotion that is not its own",
    )

    @model_validator(mode="after")
    def _only_systems_clone(self) -> Self:
        if self.reference is not None and not self.systems:
            raise ValueError("reference: is for systems: name them, or leave it out")
        if len(set(self.systems)) < len(self.systems):
            raise ValueError(f"systems: {', '.join(self.systems)} names one twice")
        return self

    def source(self, prompts: Prompts) -> Source:
        """Return it as the choice of clips takes it; its name does not change with its share."""
        return Source(
            name=digest(self.model_dump(exclude={"share"}))[:16],
            share=self.share,
            systems=self.systems,
            reference=None if self.reference is None else self.reference.borrowed(),
            reference_s=(prompts.reference_min_duration_s, prompts.max_duration_s),
        )


class NegativeSource(ClipSource):
    """One way to make a clip that is worse in a known way."""

    corruption: Name = Field(description="what is wrong with the clip, as rows name it: real_emotion, speaker_swap ...")
    recording: BorrowedSection | None = Field(default=None, description="instead of systems: another recording of the corpora")
    speaks: str = Field(default=TARGET, description="the target text, or the role that writes what is said instead")

    @model_validator(mode="after")
    def _is_worse(self) -> Self:
        if (self.recording is None) == (not self.systems):
            raise ValueError("give one of recording and systems")
        if self.speaks != TARGET and not self.systems:
            raise ValueError(f"speaks: nobody speaks {self.speaks} in a recording: name systems")
        if self.recording is not None and not self.recording.differs:
            raise ValueError("recording: say in what it differs: text, speaker or emotion is other")
        return self

    def source(self, prompts: Prompts) -> Source:
        """Return it as the choice of clips takes it."""
        recording = None if self.recording is None else self.recording.borrowed()
        return replace(super().source(prompts), corruption=self.corruption, recording=recording, speaks=self.speaks)


def check_contrasts(
    sources: Sequence[ClipSource],
    systems: Sequence[System],
    corpora: Set[str],
    writers: Set[str],
    *,
    clones: Set[str],
    has_prompt_speech: bool,
) -> None:
    """Check that positives and negatives can be made.

    Args:
        sources: the sections.
        systems: the recipe's systems.
        corpora: names of its corpora.
        writers: its roles whose text can be spoken instead of the target.
        clones: systems that take on the voice of a reference.
        has_prompt_speech: whether prompts have a reference, which is cloned where a section names none.

    Raises:
        RecipeError: an unknown system, corpus or role, a system that nothing uses or that has clips already, several voices or
            takes of one text, a way that stands twice, nothing to clone, or a positive that is not in the speaker's voice or
            has another emotion.
    """
    _check_each_once(sources)
    known, used = {system.name: system for system in systems}, set[str]()
    for source in sources:
        place = _place(source)
        if unknown := [name for name in source.systems if name not in known]:
            raise RecipeError(
                f"{place}.systems: {unknown[0]!r} is no system of this recipe: {', '.join(known) or 'it has none'}"
            )
        used |= set(source.systems)
        borrowed = [source.reference, source.recording if isinstance(source, NegativeSource) else None]
        for corpus in {section.corpus for section in borrowed if section is not None and section.corpus is not None}:
            if corpus not in corpora:
                raise RecipeError(f"{place}: {corpus!r} is no corpus of this recipe: {', '.join(sorted(corpora))}")
        if isinstance(source, NegativeSource) and source.speaks not in {TARGET, *writers}:
            raise RecipeError(
                f"{place}.speaks is {source.speaks!r}: it can be {' or '.join([TARGET, *sorted(writers)])}, "
                "or another role that writes texts, once the recipe has it"
            )
        _check_voice(place, source, clones, has_prompt_speech=has_prompt_speech)
    for system in systems:
        if system.name not in used:
            raise RecipeError(f"systems.{system.name}: no positive or negative names it")
        if system.clips is not None:
            raise RecipeError(f"systems.{system.name}.clips: positives and negatives are recorded or spoken here")
        if system.speaks != TARGET:
            raise RecipeError(f"systems.{system.name}.speaks: say at its negative what it speaks")
        if system.voices_per_prompt > 1 or (system.takes_per_prompt or len(system.all_takes)) > 1:
            raise RecipeError(
                f"systems.{system.name}: a text gets one positive and one negative: set voices_per_prompt and takes_per_prompt "
                "to 1"
            )


def _place(source: ClipSource) -> str:
    return f"negatives.{source.corruption}" if isinstance(source, NegativeSource) else "positives"


def _check_each_once(sources: Sequence[ClipSource]) -> None:
    """Refuse two ways that are one: as their draws are the same, the shares would not add up."""
    ways = [(_place(source), source.model_dump(exclude={"share"})) for source in sources]
    for number, way in enumerate(ways):
        if way in ways[:number]:
            raise RecipeError(f"{way[0]}: the same way stands there twice: name it once, with the sum of the shares")


def _check_voice(place: str, source: ClipSource, clones: Set[str], *, has_prompt_speech: bool) -> None:
    """Refuse clones of nobody, and a good clip that is not in the voice of the text's speaker or has another emotion."""
    if source.reference is None and not has_prompt_speech:
        for name in source.systems:
            if name in clones:
                raise RecipeError(
                    f"{place}.systems: {name!r} clones a voice, and prompts.reference is none: add reference here"
                )
    if isinstance(source, NegativeSource):
        return
    if mute := [name for name in source.systems if name not in clones]:
        raise RecipeError(
            f"{place}.systems: {mute[0]!r} clones no voice, and a good clip is in the voice of the text's speaker: take "
            "systems that clone"
        )
    if source.reference is not None and not source.reference.is_the_speaker:
        raise RecipeError(
            f"{place}.reference: a good clip is in the voice of the text's speaker and in no other emotion: set speaker to "
            "same, and emotion to same or any"
        )
