"""Sections of a recipe: corpora, audio, systems, roles, labels and the release."""

from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from annotate.models.task import TaskSpec
from contracts import plugins
from contracts.bounds import Factor
from flows.recipe.parts import Emotion, Name, Options, Placed, Plugin, Strict, Versioned
from synth.dsp import AudioFormat, OriginalFormat
from synth.engine import SourceType
from synth.takes import Take

_SEVERAL = BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value])


class CorpusSection(Strict):
    """One source corpus."""

    name: Name = Field(description="what rows call it")
    reader: str = Field(description="corpus plug-in")
    root: str = Field(
        default="",
        description="folder or URL; relative = beside the recipe; $VARIABLES are expanded; "
        "empty = where the reader's own package lies",
    )
    options: Options = Field(default_factory=dict, description="fields of the reader")
    source_type: SourceType | None = Field(
        default=None,
        exclude_if=lambda source_type: source_type is None,  # a recipe that does not say it is the recipe that it was
        description="what made its recordings, as IPTC digital source type, where machines spoke them; null = people spoke",
    )


class Audio(Strict):
    """The one format of all clips: a difference in format would give the system away."""

    sample_rate_hz: int = Field(default=16000, ge=8000, le=48000)
    bandwidth_hz: int = Field(default=7000, ge=1000, le=24000)
    loudness_lufs: float = Field(default=-26.0, gt=-70, le=-10, description="at -23 LUFS some engines' clips would clip")
    upsample_references: bool = Field(
        default=False,
        exclude_if=lambda upsample: not upsample,  # a recipe that does not say it is the recipe that it was
        description="reference speech whose rate is too low for bandwidth_hz is upsampled, and the card says how much of it; "
        "else it is refused, as clips that are compared always are",
    )

    @property
    def clip_format(self) -> AudioFormat:
        """The format."""
        found = self.model_dump(exclude={"upsample_references"})
        return AudioFormat(**found, upsamples_references=self.upsample_references)

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        _ = self.clip_format  # raises an error that says what does not fit
        return self


class HeardAudio(Strict):
    """The format of clips of a corpus; beyond that they are as people heard them."""

    sample_rate_hz: int = Field(default=16000, ge=8000, le=48000)

    @property
    def clip_format(self) -> OriginalFormat:
        """The format."""
        return OriginalFormat(sample_rate_hz=self.sample_rate_hz)


class TakeSection(Strict):
    """Takes of a system: each key is one value or a list of them, and every combination is one take."""

    seed: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], _SEVERAL] = Field(
        default=(), description="of the engine; left out = from the recipe's seed and the sample"
    )
    temperature: Annotated[tuple[Annotated[float, Field(gt=0, le=2)], ...], _SEVERAL] = Field(
        default=(), description="in place of the engine's own"
    )
    duration_factor: Annotated[tuple[Factor, ...], _SEVERAL] = Field(
        default=(), description="on the length of the speech, on top of the engine's own speed; above 1 is slower"
    )

    def takes(self) -> list[Take]:
        """Return the combinations."""
        combinations = product(self.seed or (None,), self.temperature or (None,), self.duration_factor or (None,))
        return [Take(seed=seed, temperature=temperature, duration_factor=factor) for seed, temperature, factor in combinations]


class System(Versioned, Placed):
    """One TTS system: an engine with its options and voices, or a corpus that brings the system's clips along."""

    name: Name
    engine: str | None = Field(default=None, description="engine plug-in")
    clips: str | None = Field(
        default=None,
        description="instead of an engine: corpus in whose rows this system's name stands as system; its clips of the recipe's "
        "texts are taken",
    )
    source_type: SourceType | None = Field(
        default=None, description="of clips: what made them, as IPTC digital source type; null = unknown"
    )
    voices: list[str] | None = Field(default=None, min_length=1, description="null = all voices of the engine")
    voices_per_prompt: int = Field(default=1, ge=1, le=1000, description="more than one makes intra-system pairs")
    takes: list[TakeSection] | None = Field(
        default=None,
        min_length=1,
        description="clips of one text by one voice, which make intra-system pairs: "
        "[{temperature: [0.4, 1.0, 1.2], duration_factor: [0.8, 1.0, 1.1]}] are nine takes, {} is the plain one",
    )
    takes_per_prompt: int | None = Field(
        default=None, ge=1, le=1000, description="how many of the takes, by hash of the prompt; null = all"
    )
    tries: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="how many seeds a clip may take until it counts as failed; null = 3 where the engine draws random numbers "
        "from a seed, else 1; each try of a speech service is bought",
    )
    speaks: str = Field(default="target", description="the target text, or the role that writes what it says instead")
    emotion: Emotion | None = Field(
        default=None, description="in which it speaks, as the corpora name theirs; null = unknown, or that of what it clones"
    )
    options: Options = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.engine is None) == (self.clips is None):
            raise ValueError("give one of engine and clips")
        if self.clips is not None and (extra := sorted(self.model_fields_set - {"name", "clips", "source_type"})):
            raise ValueError(f"{extra[0]}: is an engine's; the clips of {self.clips} are there already")
        if self.source_type is not None and self.clips is None:
            raise ValueError("source_type: is of clips; the voices of an engine have their own")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out an unused key, so that recipes from before it keep their literals."""
        found: dict[str, Any] = handler(self)
        for name in ("version", "clips", "source_type", "environment", "takes", "takes_per_prompt", "tries", "emotion"):
            if found.get(name) is None:
                found.pop(name, None)
        return found

    @property
    def all_takes(self) -> list[Take]:
        """The takes to choose from; without any there is the plain one."""
        return [take for section in self.takes or [TakeSection()] for take in section.takes()]

    @model_validator(mode="after")
    def _takes_differ(self) -> Self:
        takes = self.all_takes
        if doubled := next((take for take in takes if takes.count(take) > 1), None):
            raise ValueError(f"takes: {doubled.literals() or 'the plain take'} is there twice")
        if self.takes is None and self.takes_per_prompt is not None:
            raise ValueError("takes_per_prompt: chooses among takes: say which there are")
        if self.takes_per_prompt is not None and self.takes_per_prompt > len(takes):
            raise ValueError(f"takes_per_prompt is {self.takes_per_prompt}, but there are {len(takes)} takes")
        return self

    @model_validator(mode="after")
    def _voices_are_unique(self) -> Self:
        if doubled := sorted({name for name in self.voices or [] if (self.voices or []).count(name) > 1}):
            raise ValueError(f"voices: {', '.join(doubled)} is named twice")
        return self


class Role(Plugin):
    """A question to a language model: its task, the judge plug-in that answers it, and how it is asked."""

    task: str = Field(description="task plug-in")
    mode: Literal["live", "batch"] = Field(
        default="live", description="one by one, or by the provider's batches: half the price"
    )
    poll_s: float = Field(
        default=30.0, gt=0, le=86_400, description="first wait before a batch is looked at; later ones are longer"
    )
    task_options: Options = Field(
        default_factory=dict,
        exclude_if=lambda options: not options,  # a recipe that does not say it is the recipe that it was
        description="options of the task: what a reply must be beyond its format",
    )

    @property
    def spec(self) -> TaskSpec:
        """The task, with these options."""
        task: TaskSpec = plugins.configure("task", self.task)
        return task.with_options(self.task_options)


class JudgeSection(Role):
    """A judge of pairs, and how often it is asked about each."""

    task: str = "task1"
    orders: Literal["stored", "both"] = Field(default="stored", description="both = once more with the speeches exchanged")
    votes: int = Field(default=1, ge=1, le=99, description="how often each question is put; the majority rules")
    on_disagreement: Literal["drop", "average"] = Field(
        default="drop", description="where the two orders rule against each other"
    )


class Labels(Strict):
    """Where labels come from."""

    origin: Literal["judge", "votes", "ratings", "construction", "references"] = Field(
        alias="from",
        description="the judge's verdicts or scores; people's votes or ratings; the corpus's ratings; how pairs were made: the "
        "clip that speaks the text is better than one that speaks a negative text; or the corpus's reference answers",
    )


class Rebalance(Strict):
    """Which features may not tell which clip of a pair is chosen; pairs leave until they do not."""

    features: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        description="names as the audit has them: position, duration_s, loudness_lufs, text_length, is_synthetic, system, "
        "corruption, and what metrics name as nuisances"
    )
    bound: float = Field(
        default=0.5,
        ge=0.5,
        le=0.99,
        description="the largest share of pairs that a feature may tell the same way, among those of about the same difference",
    )


class Release(Strict):
    """The published data set."""

    version: Name = "0.1.0"
    pretty_name: str = "Speech preference pairs"
    shard_size_mb: int = Field(default=500, gt=0, le=100_000)
    allow_non_commercial: bool = Field(
        default=False,
        exclude_if=lambda allowed: not allowed,  # a recipe that does not say it is the recipe that it was
        description="voices whose licence forbids commercial use may speak in it",
    )
