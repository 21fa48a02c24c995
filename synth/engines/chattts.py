"""ChatTTS: autoregressive audio-token GPT with a Vocos vocoder; 24 kHz, English and Chinese.

Code AGPL-3.0-or-later, weights CC-BY-NC-4.0, https://github.com/2noise/ChatTTS. Its authors added some high-frequency noise
to the training data on purpose (README, Disclaimer). The package imports requests without asking for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import numpy as np
from pydantic import Field

from contracts.bounds import BatchSize, Gpus, TopP
from contracts.errors import SetupError
from contracts.jobs import Failure, Resources
from contracts.plugin_environment import Environment
from storage.downloads import HubFile
from synth.cloning import imitate, missing, package_version, published, reference_voice, require_device
from synth.engine import Reference, RenderRequest, TakeSetting, Voice, Waveform
from synth.resampling import resample
from synth.text_frontend import Control

_RATE_HZ: Final = 24000


@dataclass(frozen=True, kw_only=True)
class ChatTTS:
    """Configuration of ChatTTS.

    Attributes:
        model: Hub id of the weights, which rows record.
        model_path: folder that holds its ``asset`` folder; None downloads them.
        temperature: of the audio tokens.
        top_p: nucleus of the audio tokens.
        top_k: candidates of the audio tokens.
        refine_text: let it insert hesitations and laughter; off, because a listener then hears words that are not in the text.
        device: cuda or cpu.
        batch_size: requests per batch.
        gpus: GPUs that a session takes; 0.25 puts four of them on one, if its memory has room.
    """

    architecture: ClassVar[str] = "audio-token GPT"
    languages: ClassVar[tuple[str, ...]] = ("en", "zh", "mixed")
    clones_voice: ClassVar[bool] = True
    max_reference_s: ClassVar[float] = 30.0
    needs_reference_text: ClassVar[bool] = True
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("seed", "temperature")
    ascii_only: ClassVar[bool] = False
    # Its tokens for laughter, pauses and style: [laugh], [uv_break], [oral_2].
    controls: ClassVar[tuple[Control, ...]] = (Control(pattern=r"[\[\]]"),)

    environment: ClassVar[Environment] = Environment(
        requirements=(
            "ChatTTS==0.2.5",
            "torch==2.8.0",
            "torchaudio==2.8.0",
            "requests",
            "scipy",
        )
    )
    session_modules: ClassVar[tuple[str, ...]] = ("ChatTTS",)

    model: str = "2Noise/ChatTTS"
    model_path: str | None = None
    temperature: Annotated[float, Field(gt=0, le=2)] = 0.3
    top_p: TopP = 0.7
    top_k: Annotated[int, Field(ge=1, le=10_000)] = 20
    refine_text: bool = False
    device: str = "cuda"
    batch_size: BatchSize = 16
    gpus: Gpus = 1.0

    @property
    def resources(self) -> Resources:
        """One GPU and the CPU that feeds it."""
        return Resources(cpus=1, gpus=self.gpus if self.device.startswith("cuda") else 0.0, batch_size=self.batch_size)

    def voices(self) -> tuple[Voice, ...]:
        """Return the one voice: that of the reference."""
        return reference_voice(self.model, "CC-BY-NC-4.0", self.architecture, _RATE_HZ)

    def missing(self) -> str | None:
        """Return what to install, download or change."""
        return missing(
            ["ChatTTS", "torch"],
            "leave environment out of the recipe, or pip install ChatTTS requests",
            self.device,
            self.model_path,
            holds=["asset"],
        )

    def downloads(self) -> tuple[HubFile, ...]:
        """Return the weights, unless their folder is given."""
        return published(self.model, self.model_path, "asset/Vocos.safetensors", "asset/Vocos.pt")

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"ChatTTS {package_version('ChatTTS')}"

    def params(self) -> dict[str, object]:
        """Return the model and the sampling settings."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "refine_text": self.refine_text,
        }

    def open(self) -> "ChatTTSSession":
        """Load the networks onto the device."""
        if problem := self.missing():
            raise SetupError(problem)
        require_device(self.device)
        return ChatTTSSession(self)


class ChatTTSSession:
    """A loaded model."""

    def __init__(self, engine: ChatTTS) -> None:
        import torch
        from ChatTTS import Chat

        self._engine = engine
        self._chat: Any = Chat
        self._model: Any = Chat()
        source, device = "custom" if engine.model_path else "huggingface", torch.device(engine.device)
        if not self._model.load(source=source, custom_path=engine.model_path, compile=False, device=device):
            raise SetupError(f"ChatTTS could not load {engine.model_path or engine.model}: its log names the bad file")
        self.version = engine.installed_version()

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from imitate(requests, self._engine, _RATE_HZ, self._speak)

    def _speak(self, request: RenderRequest, reference: Reference, path: str) -> Any:  # noqa: ARG002
        # Its own manual_seed restarts the generator before every token and so repeats one draw; the seeded global one does not.
        engine, chat = self._engine, self._chat
        speaker = self._model.sample_audio_speaker(resample(reference.waveform, reference.sample_rate_hz, _RATE_HZ))
        language = request.language.lower().split("-")[0]
        pieces = self._model.infer(
            request.text,
            lang=None if language == "mixed" else language,
            skip_refine_text=not engine.refine_text,
            params_refine_text=chat.RefineTextParams(show_tqdm=False),
            params_infer_code=chat.InferCodeParams(
                spk_smp=speaker,
                txt_smp=reference.text,
                temperature=request.temperature_or(engine.temperature),
                top_P=engine.top_p,
                top_K=engine.top_k,
                show_tqdm=False,
            ),
        )
        return np.concatenate([np.asarray(piece).ravel() for piece in pieces])


PLUGIN = ChatTTS
