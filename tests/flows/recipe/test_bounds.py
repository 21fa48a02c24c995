"""Every number of a recipe is either fit for use or an error that names its field, before anything runs."""

import copy
import dataclasses
import math
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

import annotated_types
import numpy as np
import pytest
import yaml
from pydantic import BaseModel, ValidationError

from contracts import plugins
from contracts.errors import RecipeError
from contracts.ids import canonical_json
from flows.recipe.load import load
from flows.recipe.preference_recipe import PreferenceRecipe as Recipe
from flows.recipe.sections import Audio
from synth.dsp import AudioFormat, normalise
from synth.engine import Waveform

KINDS = ["corpus", "engine", "metric", "judge", "filter", "asr", "protocol", "listener_rule"]
HUGE = [math.nan, math.inf, -math.inf, 1e308, -1e308, 10**30, -(10**30)]
NEEDED = {"gemini": {"model": "gemini-2.5-pro"}, "openai": {"model": "gpt-audio"}}


def numbers(hint: object) -> Iterator[list[object]]:
    """Yield what bounds each number in a type, wherever it is nested."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, *metadata = typing.get_args(hint)
        for found in numbers(inner):
            yield found + [part for item in metadata for part in getattr(item, "metadata", [item])]
    elif hint in {int, float}:
        yield []
    elif isinstance(hint, types.UnionType) or typing.get_origin(hint) is not None:
        for part in typing.get_args(hint):
            yield from numbers(part)


def is_bounded(constraints: list[object]) -> bool:
    """Whether there is a lower and an upper bound."""
    lower = any(isinstance(item, annotated_types.Ge | annotated_types.Gt) for item in constraints)
    return lower and any(isinstance(item, annotated_types.Le | annotated_types.Lt) for item in constraints)


def options() -> Iterator[tuple[str, str, str]]:
    """Yield kind, plug-in and option of every number that a plug-in takes."""
    for kind in KINDS:
        for name in plugins.names(kind):
            plugin = plugins.load(kind, name)
            if isinstance(plugin, type):
                hints = typing.get_type_hints(plugin, include_extras=True)
                taken = [field.name for field in dataclasses.fields(plugin) if field.init]
                yield from ((kind, name, field) for field in taken if any(True for _ in numbers(hints[field])))


OPTIONS = list(options())


def test_there_are_numbers_in_all_kinds():
    """The walk finds what it is to check."""
    assert {kind for kind, _, _ in OPTIONS} == set(KINDS)
    assert ("judge", "gemini", "usd_per_million") in OPTIONS


@pytest.mark.parametrize(("kind", "name", "option"), OPTIONS)
def test_every_option_is_bounded(kind: str, name: str, option: str):
    """No NaN, infinity or absurd size is taken; 0 and -1 are taken only where a bound allows them, and then they work."""
    hint = typing.get_type_hints(plugins.load(kind, name), include_extras=True)[option]
    assert all(map(is_bounded, numbers(hint)))
    wrap = (lambda value: [value] * 3) if option == "usd_per_million" else (lambda value: value)
    for value in HUGE:
        with pytest.raises(RecipeError, match=rf"{name}.*{option}"):
            plugins.configure(kind, name, NEEDED.get(name, {}) | {option: wrap(value)})
    for value in (0, -1):
        try:
            plugin = plugins.configure(kind, name, NEEDED.get(name, {}) | {option: wrap(value)})
        except RecipeError as error:
            assert option in str(error)  # noqa: PT017
        else:
            if kind == "engine":
                assert canonical_json(plugin.params())
                assert plugin.resources.batch_size >= 1


def fields(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every number in the sections of a recipe."""
    for name, field in model.model_fields.items():
        hint = typing.Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        if any(True for _ in numbers(hint)):
            yield (*path, name)
        for part in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from fields(part, (*path, name))


FIELDS = sorted(set(fields(Recipe)))


def put(recipe: dict[str, object], path: tuple[str, ...], value: object) -> None:
    """Set the number at a path, in the first item of a list."""
    place: object = recipe
    for step in path[:-1]:
        place = place.setdefault(step, [{}] if step in {"judges", "roles"} else {})
        place = place[0] if isinstance(place, list) else place
    is_shared = path[-1] in {"fractions", "quotas"}
    if is_shared:
        place.pop("fractions", None)
    place[path[-1]] = {"sft": value, "rl": 1} if is_shared else value


def write(folder: Path, literals: Mapping[str, object]) -> Path:
    """Write a recipe."""
    path = folder / "r.yaml"
    path.write_text(yaml.safe_dump(dict(literals)))
    return path


def explained(tmp_path, path: tuple[str, ...], value: object) -> str | None:
    """Return the error that a recipe with this value gives; None = it is read."""
    literals = copy.deepcopy(BASE)
    put(literals, path, value)
    try:
        load(write(tmp_path, literals))
    except RecipeError as error:
        return str(error)
    return None


BASE: Mapping[str, object] = {
    "name": "bounds",
    "corpora": [{"name": "c", "reader": "manifest", "root": "."}],
    "systems": [{"name": "espeak", "engine": "espeak"}],
    "metrics": [{"name": "wer"}, {"name": "sim"}, {"name": "distillmos"}, {"name": "prosody"}],
    "clip_limits": [{"name": "wer", "value": "wer", "at_most": 1}],
    "judge": {"name": "objective"},
    "judges": [{"name": "gemini", "task": "task1", "options": {"model": "gemini-2.5-pro"}}],
    "roles": [{"task": "scenario", "name": "gemini"}],
    "positives": [{"share": 1}],
    "negatives": [{"corruption": "tts_voice", "systems": ["espeak"]}],
    "splits": {"fractions": {"sft": 0.5, "rl": 0.25, "bench": 0.25}},
    "listening": {"protocol": "unisrm", "of": "splits"},
}


def test_the_base_is_right(tmp_path):
    """What the sweep changes is a recipe."""
    load(write(tmp_path, BASE))
    assert ("audio", "loudness_lufs") in FIELDS
    assert ("listening", "lease_minutes") in FIELDS


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_every_number_of_a_section_is_bounded(path: tuple[str, ...], tmp_path):
    """As with options: refused by name, or read. YAML's own words for no number are refused by their line."""
    for value in HUGE:
        error = explained(tmp_path, path, value)
        assert error is not None, value
        assert path[-1] in error if math.isfinite(value) else re.search(r"line \d+, .* is no number", error)
    for value in (0, -1):
        error = explained(tmp_path, path, value)
        assert error is None or path[-1] in error


@pytest.mark.parametrize(("rate", "widest"), [(8000, 3800), (16000, 7600), (48000, 22800)])
@pytest.mark.parametrize("loudness", [-69.9, -26.0, -10.0])
def test_the_corners_of_an_audio_section_make_clips(rate: int, widest: int, loudness: float):
    """What the section allows, the signal processing does."""
    noise = np.random.default_rng(0).normal(0, 0.05, 48000).astype(np.float32)
    for bandwidth in (1000, widest):
        audio = Audio(sample_rate_hz=rate, bandwidth_hz=bandwidth, loudness_lufs=loudness)
        clip = normalise(Waveform(noise, 48000), AudioFormat(**audio.model_dump()))
        assert clip.sample_rate_hz == rate
    with pytest.raises(ValidationError, match="bandwidth_hz"):
        Audio(sample_rate_hz=rate, bandwidth_hz=widest + 1)
