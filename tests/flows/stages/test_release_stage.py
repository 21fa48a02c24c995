"""What the rows of a release say of their clips."""

import pyarrow as pa

from flows.kinds.preference_release import _source_types
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
