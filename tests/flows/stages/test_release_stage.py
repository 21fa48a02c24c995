"""What the rows of a release say of their clips."""

import pyarrow as pa
import pytest
from pydantic import ValidationError

from flows.kinds.preference_release import _source_types
from flows.recipe.sections import System
from flows.run.pipeline import open_build
from tests.flows.small import recipe


def test_every_formant_voice_follows_rules(tmp_path):
    """IPTC source types: rules for every kind of formant voice, training data for the others, capture for a recording."""
    voices = ["en-us", "en-us+f3", "en-us+klatt", "en-us+klatt2"]
    systems = [{"name": "espeak", "engine": "espeak"}, {"name": "flite", "engine": "flite", "voices": ["kal16"]}]
    (tmp_path / "corpus").mkdir()
    build = open_build(recipe(tmp_path, systems=systems), str(tmp_path / "ws"))
    rows = [{"sample_id": voice, "system": "espeak", "voice": voice, "is_synthetic": True} for voice in voices]
    rows.append({"sample_id": "kal16", "system": "flite", "voice": "kal16", "is_synthetic": True})
    rows.append({"sample_id": "human", "system": "human", "voice": None, "is_synthetic": False})
    assert _source_types(build, pa.Table.from_pylist(rows)) == {
        **dict.fromkeys(voices, "algorithmicMedia"), "kal16": "trainedAlgorithmicMedia", "human": "digitalCapture",
    }  # fmt: skip


def test_clips_that_a_corpus_brings_along_are_of_the_type_that_the_recipe_states(tmp_path):
    (tmp_path / "corpus").mkdir()
    systems = [
        {"name": "espeak", "engine": "espeak"},
        {"name": "neural", "clips": "austen", "source_type": "trainedAlgorithmicMedia"},
        {"name": "unknown", "clips": "austen"},
    ]
    build = open_build(recipe(tmp_path, systems=systems), str(tmp_path / "ws"))
    rows = [{"sample_id": name, "system": name, "voice": None, "is_synthetic": True} for name in ("neural", "unknown")]
    schema = pa.schema(
        [("sample_id", pa.string()), ("system", pa.string()), ("voice", pa.string()), ("is_synthetic", pa.bool_())]
    )
    types = _source_types(build, pa.Table.from_pylist(rows, schema=schema))
    assert types == {"neural": "trainedAlgorithmicMedia", "unknown": None}


def test_the_voices_of_an_engine_have_their_own_source_type():
    with pytest.raises(ValidationError, match="source_type: is of clips"):
        System(name="espeak", engine="espeak", source_type="algorithmicMedia")
