# ruff: noqa: A002, N815, PLR0917 - the stand-ins have their originals' signatures
"""The five zero-shot adapters against stand-ins for their libraries, which have the same modules, names and arguments.

The stand-ins were written from the libraries' sources: FunAudioLLM/CosyVoice cosyvoice/cli/cosyvoice.py (2026-03),
SWivid/F5-TTS src/f5_tts/api.py (1.1.20), 2noise/ChatTTS ChatTTS/core.py (2025-05), idiap/coqui-ai-TTS
TTS/tts/models/xtts.py (0.27.2),
open-mmlab/Amphion models/tts/maskgct/maskgct_utils.py (2024-11). Their functions take exactly the arguments of the real ones, so a wrong name fails.
"""

import random
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from contracts import plugins
from contracts.errors import SetupError
from contracts.jobs import Failure
from synth.engine import Reference, RenderRequest, Waveform, varies_by

torch = pytest.importorskip("torch")

RATE = 16000
VOICE = (0.1 * np.sin(2 * np.pi * 150 * np.arange(3 * RATE) / RATE)).astype(np.float32)
ADAPTERS = ["chattts", "cosyvoice2", "f5tts", "maskgct", "xtts"]
CALLS: list[dict] = []


def noise(text: str) -> np.ndarray:
    """What a sampling network gives: it depends on the global random state, and dies of one word."""
    if "poison" in text:
        raise RuntimeError("tensor a (3) must match tensor b (4)")
    if "fault" in text:
        raise RuntimeError("CUDA error: device-side assert triggered")
    if "huge" in text:
        raise torch.cuda.OutOfMemoryError("tried to allocate 80 GiB")
    return (torch.rand(24000).numpy() + random.random() + np.random.rand()).astype(np.float32) / 4


def read(path: str) -> tuple[int, int]:
    """Frames and rate of the reference file, which must exist while the library runs."""
    info = soundfile.info(path)
    return info.frames, info.samplerate


class CosyVoice2Model:
    """cosyvoice.cli.cosyvoice.CosyVoice2."""

    sample_rate = 24000

    def __init__(self, model_dir, load_jit=False, load_trt=False, load_vllm=False, fp16=False, trt_concurrent=1):
        self.model_dir = model_dir

    def inference_zero_shot(
        self, tts_text, prompt_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True
    ):
        CALLS.append({"text": tts_text, "reference_text": prompt_text, "reference": read(prompt_wav), "speed": speed})
        samples = torch.from_numpy(noise(tts_text))[None]
        yield {"tts_speech": samples[:, :10000]}
        yield {"tts_speech": samples[:, 10000:]}

    def inference_cross_lingual(self, tts_text, prompt_wav, zero_shot_spk_id="", stream=False, speed=1.0, text_frontend=True):
        CALLS.append({"text": tts_text, "reference_text": None, "reference": read(prompt_wav), "speed": speed})
        yield {"tts_speech": torch.from_numpy(noise(tts_text))[None]}


class F5TTSModel:
    """f5_tts.api.F5TTS."""

    target_sample_rate = 24000

    def __init__(self, model="F5TTS_v1_Base", ckpt_file="", vocab_file="", ode_method="euler", use_ema=True,
                 vocoder_local_path=None, device=None, hf_cache_dir=None):  # fmt: skip
        assert ckpt_file == ""

    def infer(self, ref_file, ref_text, gen_text, show_info=print, progress=None, target_rms=0.1, cross_fade_duration=0.15,
              sway_sampling_coef=-1, cfg_strength=2, nfe_step=32, speed=1.0, fix_duration=None, remove_silence=False,
              file_wave=None, file_spec=None, seed=None):  # fmt: skip
        torch.manual_seed(seed)
        show_info("Converting audio...")
        CALLS.append({"text": gen_text, "reference_text": ref_text, "reference": read(ref_file), "speed": speed})
        return noise(gen_text), 24000, None


class Chat:
    """ChatTTS.Chat."""

    @dataclass(repr=False, eq=False)
    class RefineTextParams:
        """ChatTTS.Chat.RefineTextParams."""

        prompt: str = ""
        top_P: float = 0.7
        top_K: int = 20
        temperature: float = 0.7
        show_tqdm: bool = True
        manual_seed: int | None = None

    @dataclass(repr=False, eq=False)
    class InferCodeParams(RefineTextParams):
        """ChatTTS.Chat.InferCodeParams."""

        prompt: str = "[speed_5]"
        spk_emb: str | None = None
        spk_smp: str | None = None
        txt_smp: str | None = None
        temperature: float = 0.3

    def load(self, source="local", force_redownload=False, compile=False, custom_path=None, device=None):
        return custom_path != "damaged"

    def sample_audio_speaker(self, wav):
        assert wav.dtype == np.float32
        return f"speaker of {len(wav)} samples"

    def infer(self, text, stream=False, lang=None, skip_refine_text=False, refine_text_only=False, use_decoder=True,
              do_text_normalization=True, do_homophone_replacement=True, split_text=True, max_split_batch=4,
              params_refine_text=None, params_infer_code=None):  # fmt: skip
        assert params_infer_code.spk_smp == f"speaker of {3 * 24000} samples"
        assert skip_refine_text
        CALLS.append(
            {
                "text": text,
                "reference_text": params_infer_code.txt_smp,
                "reference": (3 * RATE, RATE),
                "language": lang,
                "temperature": params_infer_code.temperature,
            }
        )
        return [noise(text)]


class XttsModel:
    """TTS.tts.models.xtts.Xtts."""

    @classmethod
    def init_from_config(cls, config):
        return cls()

    def load_checkpoint(self, config, checkpoint_dir=None, checkpoint_path=None, vocab_path=None, eval=True, strict=True,
                        use_deepspeed=False, speaker_file_path=None):  # fmt: skip
        assert config.loaded.endswith("config.json")

    def to(self, device):
        assert device == "cpu"

    def get_conditioning_latents(self, audio_path, max_ref_length=30, gpt_cond_len=6, gpt_cond_chunk_len=6, librosa_trim_db=None,
                                 sound_norm_refs=False, load_sr=22050):  # fmt: skip
        assert (gpt_cond_len, gpt_cond_chunk_len, max_ref_length) == (30, 4, 10)
        return read(audio_path[0]), "speaker embedding"

    def inference(self, text, language, gpt_cond_latent, speaker_embedding, temperature=0.75, length_penalty=1.0,
                  repetition_penalty=10.0, top_k=50, top_p=0.85, do_sample=True, num_beams=1, speed=1.0,
                  enable_text_splitting=False, **hf_generate_kwargs):  # fmt: skip
        assert not hf_generate_kwargs
        CALLS.append({"text": text, "reference_text": "Hi there.", "reference": gpt_cond_latent, "language": language,
                      "temperature": temperature, "speed": speed})  # fmt: skip
        return {"wav": noise(text), "gpt_latents": None, "speaker_embedding": None}


class XttsConfig(SimpleNamespace):
    """TTS.tts.configs.xtts_config.XttsConfig."""

    def load_json(self, file_name):
        self.__dict__.update(loaded=file_name, gpt_cond_len=30, gpt_cond_chunk_len=4, max_ref_len=10)


class MaskGCTPipeline:
    """models.tts.maskgct.maskgct_utils.MaskGCT_Inference_Pipeline."""

    def __init__(self, semantic_model, semantic_codec, codec_encoder, codec_decoder, t2s_model, s2a_model_1layer, s2a_model_full,
                 semantic_mean, semantic_std, device):  # fmt: skip
        loaded = semantic_codec, codec_encoder, codec_decoder, t2s_model, s2a_model_1layer, s2a_model_full
        assert [part["weights"].partition("of ")[2] for part in loaded] == [
            "semantic_codec/model.safetensors", "acoustic_codec/model.safetensors", "acoustic_codec/model_1.safetensors",
            "t2s_model/model.safetensors", "s2a_model/s2a_model_1layer/model.safetensors", "s2a_model/s2a_model_full/model.safetensors",
        ]  # fmt: skip
        assert (semantic_model, semantic_mean, semantic_std, str(device)) == ("w2v-bert", "mean", "std", "cpu")

    def maskgct_inference(self, prompt_speech_path, prompt_text, target_text, language="en", target_language="en", target_len=None,
                          n_timesteps=25, cfg=2.5, rescale_cfg=0.75, n_timesteps_s2a=(25, 10, *[1] * 10), cfg_s2a=2.5,
                          rescale_cfg_s2a=0.75):  # fmt: skip
        assert Path("models/tts/maskgct/config/maskgct.json").exists(), "it is called inside of its checkout"
        assert len(n_timesteps_s2a) == 12
        CALLS.append({"text": target_text, "reference_text": prompt_text, "reference": read(prompt_speech_path),
                      "seconds": target_len})  # fmt: skip
        return noise(target_text)


def maskgct_utils() -> dict[str, object]:
    """models.tts.maskgct.maskgct_utils, of which each part knows which file it was loaded from."""
    layers = SimpleNamespace(s2a_1layer={"of": "s2a_1layer"}, s2a_full={"of": "s2a_full"})
    parts = {name: {"of": name} for name in ("semantic_codec", "acoustic_codec", "t2s_model")}

    def load_config(path):
        assert Path(path).read_text() == "{}", "it is loaded inside of its checkout"
        return SimpleNamespace(model=SimpleNamespace(**parts, s2a_model=layers))

    return {
        "load_config": load_config,
        "build_semantic_model": lambda device: ("w2v-bert", "mean", "std"),
        "build_acoustic_codec": lambda cfg, device: ({"is": "encoder"}, {"is": "decoder"}),
        "build_semantic_codec": lambda cfg, device: dict(cfg),
        "build_t2s_model": lambda cfg, device: dict(cfg),
        "build_s2a_model": lambda cfg, device: dict(cfg),
        "g2p_": lambda text, language: (text, [letter for letter in text if letter != " "]),
        "MaskGCT_Inference_Pipeline": MaskGCTPipeline,
    }


@pytest.fixture(autouse=True)
def libraries(monkeypatch, tmp_path):
    """Put the stand-ins where the adapters import from."""
    (tmp_path / "models/tts/maskgct/config").mkdir(parents=True)
    (tmp_path / "models/tts/maskgct/config/maskgct.json").write_text("{}")
    (tmp_path / "cosyvoice2.yaml").write_text("sample_rate: 24000\n")
    contents = {
        "cosyvoice.cli.cosyvoice": {"CosyVoice2": CosyVoice2Model},
        "matcha": {}, "modelscope": {}, "hyperpyyaml": {},
        "f5_tts.api": {"F5TTS": F5TTSModel},
        "ChatTTS": {"Chat": Chat},
        "TTS.tts.configs.xtts_config": {"XttsConfig": XttsConfig},
        "TTS.tts.models.xtts": {"Xtts": XttsModel},
        "models.tts.maskgct.maskgct_utils": maskgct_utils(),
        "safetensors.torch": {"load_model": lambda part, file: part.update(weights=file)},
        "librosa": {}, "transformers": {},
        "huggingface_hub": {
            "snapshot_download": lambda repo: str(tmp_path),
            "hf_hub_download": lambda repo, filename: f"{repo} of {filename}",
        },
    }  # fmt: skip
    for name, attributes in contents.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            path = ".".join(parts[:depth])
            if path not in sys.modules or depth == len(parts):
                module = ModuleType(path)
                module.__spec__ = ModuleSpec(path, None, origin=str(tmp_path.joinpath(*parts[:depth]).with_suffix(".py")))
                module.__path__ = []
                monkeypatch.setitem(sys.modules, path, module)
                if depth > 1:
                    monkeypatch.setattr(sys.modules[".".join(parts[: depth - 1])], parts[depth - 1], module, raising=False)
        for attribute, value in attributes.items():
            monkeypatch.setattr(sys.modules[name], attribute, value, raising=False)
    CALLS.clear()


def request(text: str = "How are you?", **changes) -> RenderRequest:
    """A request with a reference of three seconds."""
    reference = Reference(waveform=VOICE, sample_rate_hz=RATE, text="Hi there.")
    fields = {"text": text, "language": "en", "voice": "reference", "seed": 5, "reference": reference}
    return RenderRequest(**{**fields, **changes})


@pytest.mark.parametrize("name", ADAPTERS)
def test_text_reference_and_its_text_reach_the_library(name):
    """The reference arrives as a file of the right length, and what comes back is one mono waveform at 24 kHz."""
    engine = plugins.configure("engine", name, {"device": "cpu"})
    assert engine.missing() is None
    session = engine.open()
    (answer,) = session.render([request()])
    assert isinstance(answer, Waveform)
    assert answer.samples.shape == (24000,)
    assert answer.samples.dtype == np.float32
    assert answer.sample_rate_hz == engine.voices()[0].sample_rate_hz == 24000
    assert CALLS[0]["text"] == "How are you?"
    assert CALLS[0]["reference_text"] == "Hi there."
    assert CALLS[0]["reference"] == (3 * RATE, RATE)
    assert session.version.strip()


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_seed_decides_and_nothing_outside_is_disturbed(name):
    """Same seed, same samples; another seed, others; the caller's random states stay as they were."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    random.seed(1)
    torch.manual_seed(1)
    np.random.seed(1)
    expected = (random.random(), torch.rand(1).item(), np.random.rand())
    random.seed(1)
    torch.manual_seed(1)
    np.random.seed(1)
    one, other, again = session.render([request(seed=5), request(seed=6), request(seed=5)])
    assert (random.random(), torch.rand(1).item(), np.random.rand()) == expected
    assert np.array_equal(one.samples, again.samples)
    assert not np.array_equal(one.samples, other.samples)


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_text_that_breaks_the_library_is_one_failure(name):
    """The texts around it are spoken."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    good, broken, huge, last = session.render([request(), request("poison"), request("huge"), request("Fine.")])
    assert isinstance(good, Waveform)
    assert isinstance(last, Waveform)
    assert (broken.reason, huge.reason) == ("engine_error", "out_of_memory")
    assert "tensor a" in broken.message


@pytest.mark.parametrize(
    ("name", "options", "sent"),
    [
        ("chattts", {}, [{"temperature": 0.3}, {"temperature": 1.2}]),
        ("cosyvoice2", {"speed": 1.2}, [{"speed": 1.2}, {"speed": 1.5}]),
        ("f5tts", {}, [{"speed": 1.0}, {"speed": 1.25}]),
        # The reference lasts 3 s and has 8 letters, which stand for phones, the text 10: 3.75 s by the package's own estimate.
        ("maskgct", {"speed": 1.25}, [{"seconds": 3.0}, {"seconds": 2.4}]),
        ("xtts", {}, [{"speed": 1.0, "temperature": 0.75}, {"speed": 1.25, "temperature": 1.2}]),
    ],
)
def test_a_take_reaches_the_library(name, options, sent):
    """A factor on the length divides the engine's own speed; a temperature stands in place of its own."""
    engine = plugins.configure("engine", name, {"device": "cpu"} | options)
    take = {"temperature": 1.2, "duration_factor": 0.8}
    able = {setting: value for setting, value in take.items() if setting in varies_by(engine)}
    session = engine.open()
    plain, taken = session.render([request(), request(**able)])
    assert isinstance(plain, Waveform)
    assert isinstance(taken, Waveform)
    for call, expected in zip(CALLS, sent, strict=True):
        assert {setting: call[setting] for setting in expected} == pytest.approx(expected)
    unable = [setting for setting in take if setting not in able]
    for answer in session.render([request(**{setting: take[setting]}) for setting in unable]):
        assert answer.reason == "unsupported_take"
    assert len(CALLS) == 2


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_cuda_fault_ends_the_worker(name):
    """After a device-side assert every call fails, so the process must be replaced."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    with pytest.raises(RuntimeError, match="CUDA error"):
        list(session.render([request("fault")]))


@pytest.mark.parametrize("name", ADAPTERS)
def test_references_that_cannot_be_used_are_failures(name):
    """None at all, or one that is too long."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    endless = Reference(waveform=np.zeros(31 * RATE, np.float32), sample_rate_hz=RATE, text="Hi.")
    answers = list(session.render([request(reference=None), request(reference=endless)]))
    assert [answer.reason for answer in answers] == ["no_reference", "reference_too_long"]
    assert CALLS == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("f5tts", "no_reference_text"),
        ("chattts", "no_reference_text"),
        ("maskgct", "no_reference_text"),
        ("xtts", None),
        ("cosyvoice2", None),
    ],
)
def test_a_reference_without_text(name, reason):
    """Three libraries need the transcript; XTTS does not use it; CosyVoice 2 has a mode without."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    (answer,) = session.render([request(reference=Reference(waveform=VOICE, sample_rate_hz=RATE, text=None))])
    assert (answer.reason if isinstance(answer, Failure) else None) == reason


@pytest.mark.parametrize(
    ("name", "language", "code"), [("xtts", "zh-CN", "zh-cn"), ("chattts", "zh", "zh"), ("chattts", "mixed", None)]
)
def test_languages_are_named_as_the_library_names_them(name, language, code):
    """XTTS knows Chinese as zh-cn; ChatTTS finds out by itself when languages mix."""
    session = plugins.configure("engine", name, {"device": "cpu"}).open()
    list(session.render([request("\u4f60\u597d", language=language)]))
    assert CALLS[0]["language"] == code


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_gpu_is_asked_for_and_missed(name, monkeypatch, tmp_path):
    """By default a session occupies one GPU; without a driver the engine says so."""
    engine = plugins.configure("engine", name)
    assert engine.resources.gpus == 1
    assert plugins.configure("engine", name, {"device": "cpu"}).resources.gpus == 0
    monkeypatch.setattr("synth.cloning._GPU_DRIVER", tmp_path / "none")
    assert "GPU" in engine.missing()
    monkeypatch.setattr("synth.cloning._GPU_DRIVER", tmp_path)
    assert engine.missing() is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SetupError, match="sees no CUDA GPU"):
        engine.open()


@pytest.mark.parametrize("name", ADAPTERS)
def test_paths_of_this_machine_stay_out_of_the_rows(name, tmp_path):
    """Weights may lie anywhere; what is released is the model's published name."""
    engine = plugins.configure("engine", name, {"model_path": str(tmp_path)})
    assert str(tmp_path) not in repr(engine.params()) + repr(engine.voices())
    assert engine.params()["model"] == engine.voices()[0].model
    nowhere = plugins.configure("engine", name, {"model_path": str(tmp_path / "no")})
    assert "no model at" in nowhere.missing()


def test_damaged_weights_of_chattts_are_a_setup_error(monkeypatch):
    """Its load() returns False instead of raising."""
    engine = plugins.configure("engine", "chattts", {"device": "cpu", "model_path": "damaged"})
    monkeypatch.setattr(type(engine), "missing", lambda self: None)
    with pytest.raises(SetupError, match="could not load damaged"):
        engine.open()


@pytest.mark.parametrize("name", ADAPTERS)
def test_several_sessions_share_a_gpu(name):
    """A session takes as much of a GPU as the recipe says, none without one; clips do not hang on it."""
    whole = plugins.configure("engine", name, {})
    quarter = plugins.configure("engine", name, {"gpus": 0.25})
    assert (whole.resources.gpus, quarter.resources.gpus) == (1.0, 0.25)
    assert plugins.configure("engine", name, {"gpus": 0.25, "device": "cpu"}).resources.gpus == 0.0
    assert quarter.params() == whole.params()
