"""The miniatures of published corpora that tests and demonstrations use."""

import pytest

from corpora import emotion_miniatures, miniatures, question_miniatures, reference_miniatures
from tests.corpora.reading import read
from tests.corpora.test_dummies import files

LICENSED = {"license": "MIT"}
MINIATURES = {
    "bvcc": (miniatures.bvcc, {}),
    "covost2": (question_miniatures.covost2, {}),
    "dailytalk": (emotion_miniatures.dailytalk, {}),
    "esd": (emotion_miniatures.esd, {}),
    "emilia": (reference_miniatures.emilia, {}),
    "genshin_voice": (reference_miniatures.genshin_voice, {}),
    "kespeech": (reference_miniatures.kespeech, {}),
    "l2_arctic": (reference_miniatures.l2_arctic, {}),
    "librisqa": (question_miniatures.librisqa, {}),
    "nisqa": (miniatures.nisqa, {}),
    "paraspeechcaps": (reference_miniatures.paraspeechcaps, {}),
    "qualispeech": (miniatures.qualispeech, LICENSED),
    "singmos": (miniatures.singmos, {"language": "zh"}),
    "somos": (miniatures.somos, {}),
    "tmhint_qi": (miniatures.tmhint_qi, LICENSED),
    "vmc23": (miniatures.vmc23, LICENSED),
}
ODD = {"tmhint_qi": ["missing_rating", "rating_out_of_range"], "vmc23": ["foreign_clip"]}
"""What is wrong with the real corpus as it is published, too."""


@pytest.mark.parametrize("name", MINIATURES)
def test_the_seed_decides_every_byte(name, tmp_path):
    build, options = MINIATURES[name]
    first, again, other = (files(build(tmp_path / place, seed=seed)) for place, seed in (("a", 3), ("b", 3), ("c", 4)))
    assert first == again
    assert first.keys() == other.keys()
    assert first != other
    rows = read(name, tmp_path / "a", **options)
    assert [row["problem"] for row in rows if row["problem"]] == ODD.get(name, [])


@pytest.mark.parametrize("name", ["bvcc", "somos", "tmhint_qi"])
def test_a_better_system_has_better_ratings(name, tmp_path):
    build, options = MINIATURES[name]
    build(tmp_path, contents=3)
    by_place = dict[int, list[float]]()
    clips = [row for row in read(name, tmp_path, **options) if row["problem"] is None]
    systems = len(clips) // 3
    for place, row in enumerate(clips):
        scores = [rating["score"] for rating in row["ratings"] if rating["scale"] == "mos"]
        by_place.setdefault(place % systems, []).append(sum(scores) / len(scores))
    means = [sum(values) / len(values) for _, values in sorted(by_place.items())]
    assert means == sorted(means, reverse=True)
