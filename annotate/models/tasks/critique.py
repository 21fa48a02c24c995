"""The critique of one clip: four criteria in words and one whole number (after MOS-RMBench, App. B.2 Fig. 5).

The score and its last line are ours, made after the paired critique: the paper's critique of one clip is words alone.
"""

from typing import Final

from annotate.models.parse.conclusions import Conclusion
from annotate.models.task import Dimension, TaskSpec, Written
from annotate.models.tasks import critique_pair

QUALITY: Final = Dimension(name="quality", key="quality")
CONCLUSION: Final = Conclusion(
    criteria=critique_pair.CONCLUSION.criteria, line="Final Score: [[{}]]", decimals=0, scale=critique_pair.CONCLUSION.scale
)


def parse(reply: str) -> Written:
    """Read a critique.

    Raises:
        ParseError: see ``annotate.models.parse.conclusions``.
    """
    rationale, (score,) = CONCLUSION.read(reply)
    return Written(
        content={"critique": rationale, "score": int(score)},
        scores={QUALITY.name: float(score)},
        completion=CONCLUSION.write(rationale, [score]),
    )


PLUGIN: Final = TaskSpec(
    name="critique",
    subject="samples",
    templates={"en": "critique.en.jinja"},
    fields=(),
    audios={"Audio": "audio"},
    dimensions=(QUALITY,),
    scale=CONCLUSION.scale,
    gives=("critique", "score"),
    parse=parse,
)
