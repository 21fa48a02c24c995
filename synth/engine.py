"""Interface of text-to-speech engines, the plug-ins in ``synth/engines``.

An engine is a frozen configuration; ``open()`` loads it into a session; a session answers a sequence of requests one by one,
in order, with a waveform or with the reason why there is none. A request that an engine cannot serve never stops the others.

An engine behind a network that wants its requests sent through the ledger has no session: it is a ``ServiceEngine``
(``synth.service_rendering``) and says so by ``is_service: ClassVar[bool] = True``.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from contracts.jobs import Failure, Resources
from contracts.language_codes import base_language
from synth import text_frontend
from synth.text_frontend import Control

Samples = npt.NDArray[np.float32]


TakeSetting = Literal["seed", "temperature", "duration_factor"]
"""What may differ between two clips of one text by one voice."""

SourceType = Literal["trainedAlgorithmicMedia", "algorithmicMedia"]
"""IPTC digital source type of synthetic speech: made by a model of recordings, or by rules."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One voice of an engine.

    Attributes:
        name: what a recipe calls it.
        model: published name of the model or voice data; never a path of this machine, because it is released.
        license: SPDX expression of the voice data's licence, ``LicenseRef-...`` where SPDX has no identifier.
        architecture: method of synthesis: formant, diphone, statistical parametric, HMM, VITS ...
        sample_rate_hz: rate at which it speaks.
        source_type: IPTC digital source type of its speech: made by rules alone, or by what was learnt from recordings.
    """

    name: str
    model: str
    license: str
    architecture: str
    sample_rate_hz: int
    source_type: SourceType = "trainedAlgorithmicMedia"


@dataclass(frozen=True, eq=False)
class Waveform:
    """Mono speech: float32 samples of shape (n,), full scale is 1, and their rate in Hz."""

    samples: Samples
    sample_rate_hz: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The recording whose voice a zero-shot engine should take on, and what is spoken in it if that is known."""

    waveform: Samples
    sample_rate_hz: int
    text: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class RenderRequest:
    """One text to speak.

    Attributes:
        text: what to speak, one line or more.
        language: BCP 47 tag; ``mixed`` for code-switched Chinese and English.
        voice: name of one of the engine's voices.
        seed: for engines that draw random numbers; the others ignore it.
        reference: what a voice-cloning engine imitates.
        temperature: in place of the engine's own; None = its own. Only for engines that vary by it.
        duration_factor: on the length of the speech; None = 1. Only for engines that vary by it.
    """

    text: str
    language: str
    voice: str
    seed: int
    reference: Reference | None
    temperature: float | None = None
    duration_factor: float | None = None

    def temperature_or(self, own: float) -> float:
        """Return the temperature, or the engine's own."""
        return own if self.temperature is None else self.temperature

    def lengthened(self, own: float) -> float:
        """Return what is proportional to the length of the speech: the engine's own value times the factor."""
        return own if self.duration_factor is None else own * self.duration_factor

    def slowed(self, own: float) -> float:
        """Return what falls as the speech grows longer, such as a speed: the engine's own value over the factor."""
        return own if self.duration_factor is None else own / self.duration_factor


class Session(Protocol):
    """An open engine."""

    @property
    def version(self) -> str:
        """Version of the program or package that speaks."""
        ...

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Yield exactly one waveform or failure per request, in order."""
        ...


class Engine(Protocol):
    """A configured text-to-speech system: a ``SessionEngine`` or a service.

    Attributes:
        architecture: method of synthesis.
        clones_voice: whether it clones the voice of a reference.

    An engine may also have

    - ``cpu_s_per_audio_s: ClassVar[float | None]``, the CPU seconds on one core that a second of speech takes; without it a
      plan says that the time is unknown;
    - ``environment: ClassVar[Environment]``, where its sessions run unless the recipe says otherwise; without it they run in
      our interpreter. ``missing``, ``installed_version`` and ``open`` are called in that environment, everything else in ours;
    - ``session_modules: ClassVar[tuple[str, ...]]``, the heavy modules that a session imports: before any work it is tried
      whether they can be imported in the environment;
    - ``max_reference_s: ClassVar[float]``, the longest reference that it takes; without it any length. References are chosen
      that all systems of a recipe take;
    - ``needs_reference_text: ClassVar[bool]``, whether it has to know what the reference says;
    - ``varies_by: tuple[TakeSetting, ...]``, what its requests may set for takes of one text; without it there is one clip of a
      text. ``seed`` says that it draws random numbers, all from the request's seed: then a failure by chance
      (``synth.takes.BY_CHANCE``) is tried again with other seeds.
    """

    architecture: ClassVar[str]
    clones_voice: ClassVar[bool] = False

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages that it speaks: first parts of BCP 47 tags, and ``mixed``."""
        ...

    @property
    def ascii_only(self) -> bool:
        """Whether it reads ASCII only."""
        return False

    @property
    def controls(self) -> tuple[Control, ...]:
        """Control syntax, which is removed from its texts."""
        return ()

    @property
    def resources(self) -> Resources:
        """Resources of one session, and its batch size."""
        ...

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices, the default first."""
        ...

    def missing(self) -> str | None:
        """Return what to install or do before it can run on this machine; None = it can run. Imports nothing heavy."""
        ...

    def installed_version(self) -> str | None:
        """Return the ``version`` that a session would report here, without loading it; called only if nothing is missing.

        None: only an open session can report it.
        """
        ...

    def params(self) -> Mapping[str, object]:
        """Return the synthesis parameters that are sent with every request, as literals."""
        ...


class SessionEngine(Engine, Protocol):
    """An engine that runs where a worker is."""

    def open(self) -> Session:
        """Load the engine.

        Raises:
            SetupError: something is missing; the message is that of ``missing``.
        """
        ...


def varies_by(engine: Engine) -> tuple[TakeSetting, ...]:
    """Return what an engine can vary between takes of one text."""
    return tuple(getattr(engine, "varies_by", ()))


def max_reference_s(engine: Engine) -> float:
    """Return the longest reference that an engine takes, in seconds; infinity for one without a limit."""
    return float(getattr(engine, "max_reference_s", math.inf))


def needs_reference_text(engine: Engine) -> bool:
    """Return whether an engine has to know what the reference says."""
    return bool(getattr(engine, "needs_reference_text", False))


def is_service(engine: Engine) -> bool:
    """Return whether an engine is a ``synth.service_rendering.ServiceEngine``."""
    return bool(getattr(engine, "is_service", False))


def speaks(engine: Engine, language: str) -> bool:
    """Return whether an engine speaks a language (BCP 47, or ``mixed``)."""
    return base_language(language) in map(base_language, engine.languages)


def refusal(request: RenderRequest, engine: Engine) -> Failure | None:
    """Return the reason why ``engine`` cannot render ``request``; None = it can."""
    if not request.text.strip():
        return Failure("empty_text", "there is nothing to say")
    if not speaks(engine, request.language):
        return Failure("unsupported_language", f"language {request.language!r}; it speaks {', '.join(engine.languages)}")
    names = [voice.name for voice in engine.voices()]
    if request.voice not in names:
        return Failure("unknown_voice", f"no voice {request.voice!r}; this engine has {', '.join(names)}")
    wanted = {"temperature": request.temperature, "duration_factor": request.duration_factor}
    if fixed := [name for name, value in wanted.items() if value is not None and name not in varies_by(engine)]:
        return Failure("unsupported_take", f"this engine has no {fixed[0]} for takes")
    if engine.clones_voice and request.reference is None:
        return Failure("no_reference", "this engine imitates a recording and was given none")
    return None


def prepared(request: RenderRequest, engine: Engine) -> RenderRequest | Failure:
    """Return the request with the texts for the engine (``synth.text_frontend``), or the reason why it cannot be rendered."""
    if problem := refusal(request, engine):
        return problem
    text = _engine_text(request.text, engine, request.voice)
    if not text or isinstance(text, Failure):
        return text or Failure("nothing_to_say", "there is no word in it, only punctuation, pictures or invisible characters")
    reference = request.reference
    if reference is not None and reference.text is not None:
        reference_text = _engine_text(reference.text, engine, request.voice)
        if isinstance(reference_text, Failure):
            return reference_text
        reference = replace(reference, text=reference_text)
    return replace(request, text=text, reference=reference)


def changed_engine_text(engine: Engine, row: Mapping[str, Any], voice: str) -> tuple[str, ...]:
    """Return the engine's texts for a row's ``text`` and ``reference_text`` if they differ from those of older versions.

    They are part of a clip's key. For most texts the result is empty, so that the key stays as it was.
    """
    texts = [row["text"], row["reference_text"] if engine.clones_voice else None]
    changed = [
        text_frontend.changed_engine_text(text or "", engine.controls, voice, ascii_only=engine.ascii_only) for text in texts
    ]
    return tuple("" if text is None else text for text in changed) if any(text is not None for text in changed) else ()


def _engine_text(text: str, engine: Engine, voice: str) -> str | Failure:
    return text_frontend.engine_text(text, engine.controls, voice, ascii_only=engine.ascii_only)


def answers(
    requests: Sequence[RenderRequest], engine: Engine, speak: Callable[[RenderRequest], Waveform | Failure]
) -> Iterator[Waveform | Failure]:
    """Yield the results of requests in order; ``speak`` gets only requests that the engine can render, with prepared texts."""
    for request in requests:
        ready = prepared(request, engine)
        yield ready if isinstance(ready, Failure) else speak(ready)
