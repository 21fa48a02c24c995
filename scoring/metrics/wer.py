"""Word error rate of a recogniser's transcript against the text: WER of English, CER of Chinese, MER of code-switched text.

SpeechJudge scores intelligibility like this. Units and normalisation are those of ``scoring.text``; alignment and
counts are jiwer's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from contracts.errors import SetupError
from contracts.ids import canonical_json
from contracts.jobs import Failure, Resources
from contracts.languages import base_language
from contracts.plugin_environment import Environment
from scoring.hosted_model import placed_transcriber
from scoring.metric import Better, Measurement, MetricRequest, absent
from scoring.readings import closest
from scoring.text import READINGS, units
from scoring.transcriber import RATE_HZ, Transcriber, TranscriberSession
from storage.downloads import Download, Downloading
from storage.environments.hosted_plugin import HostedPlugin, hosted_in
from synth.resampling import resample


class WerSession:
    """A loaded recogniser and the counting of its errors."""

    def __init__(self, transcriber: TranscriberSession, languages: tuple[str, ...]) -> None:
        self._transcriber = transcriber
        self._languages = languages
        self.model = transcriber.model
        self.model_version = _version(transcriber.model_version)
        self.environment_contents = getattr(transcriber, "environment_contents", ())

    def measure(self, requests: Sequence[MetricRequest]) -> Iterator[Measurement | Failure]:
        """Transcribe and count, clip by clip."""
        for request in requests:
            yield self._measure(request)

    def _measure(self, request: MetricRequest) -> Measurement | Failure:
        language = base_language(request.language)
        if language not in map(base_language, self._languages):
            known = ", ".join(self._languages)
            return Failure(reason="unsupported_language", message=f"{self.model} transcribes {known}, not {request.language!r}")
        reference = units(request.text, language)
        if not reference:
            return Failure(reason="empty_reference", message=f"normalisation leaves nothing of the text {request.text!r}")
        if not request.waveform.size:
            return Failure(reason="empty_audio", message="the clip has no samples")
        transcript = self._transcriber.transcribe(resample(request.waveform, request.sample_rate_hz, RATE_HZ), language)
        return Measurement(
            values=error_counts(reference, units(transcript, language)), detail=canonical_json({"transcript": transcript})
        )


def error_counts(reference: Sequence[str], hypothesis: Sequence[str]) -> dict[str, float | None]:
    """Align two sequences of units and count errors: those of their closest readings, where they have several.

    Args:
        reference: what should be spoken; at least one unit.
        hypothesis: what was recognised; may be empty.

    Returns:
        The values that ``Wer`` documents.
    """
    import jiwer

    reference, hypothesis = closest(reference, hypothesis)
    counts = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    return {
        "wer": float(counts.wer),
        "substitutions": float(counts.substitutions),
        "deletions": float(counts.deletions),
        "insertions": float(counts.insertions),
        "reference_words": float(len(reference)),
    }


@dataclass(frozen=True, kw_only=True)
class Wer:
    """Word error rate.

    Values: ``wer`` (errors per reference unit; above 1 where much is inserted), ``substitutions``, ``deletions``,
    ``insertions`` and ``reference_words`` (counts of units). The detail is ``{"transcript": the recognised text}``.

    Attributes:
        asr: name of the asr plug-in.
        asr_options: its options.
    """

    value_names: ClassVar[tuple[str, ...]] = ("wer", "substitutions", "deletions", "insertions", "reference_words")
    cpu_s_per_audio_s: ClassVar[float | None] = 0.3
    better: ClassVar[Mapping[str, Better]] = {"wer": "lower"}
    needs_reference: ClassVar[bool] = False

    asr: str = "whisper_tiny"
    asr_options: Mapping[str, Any] = field(default_factory=dict)
    # No option: it decides where the recogniser runs, not what it hears.
    _environment: Environment | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.transcriber()  # raises now if the options do not fit

    def transcriber(self) -> Transcriber:
        """Return the configured recogniser.

        Raises:
            RecipeError: unknown recogniser or option.
        """
        return placed_transcriber(self.asr, self.asr_options, self._environment)

    def hosted(self) -> Sequence[HostedPlugin]:
        """Return the recogniser if it runs in an environment of its own."""
        return hosted_in(self.transcriber())

    def with_model_in(self, environment: Environment) -> Self:
        """Return the same metric with its recogniser in an environment."""
        placed = replace(self)
        object.__setattr__(placed, "_environment", environment)
        return placed

    @property
    def resources(self) -> Resources:
        """What the recogniser occupies."""
        return self.transcriber().resources

    def missing(self) -> str | None:
        """Return what the recogniser lacks."""
        return self.transcriber().missing() or absent(
            "jiwer", "regex", "whisper_normalizer", "opencc", install="jiwer regex whisper-normalizer OpenCC"
        )

    def downloads(self) -> Sequence[Download]:
        """Return what the recogniser fetches on first use."""
        transcriber = self.transcriber()
        return transcriber.downloads() if isinstance(transcriber, Downloading) else ()

    def installed_version(self) -> str | None:
        """Return what a session here reports as its version."""
        installed = self.transcriber().installed_version()
        return None if installed is None else _version(installed)

    def open(self) -> WerSession:
        """Load the recogniser."""
        if problem := self.missing():
            raise SetupError(problem)
        transcriber = self.transcriber()
        return WerSession(transcriber.open(), transcriber.languages)


def _version(transcriber: str) -> str:
    """Return the version of what was measured: of the recogniser, and of how texts are read."""
    return f"{transcriber}; readings {READINGS}"


PLUGIN = Wer
