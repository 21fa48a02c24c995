"""The critique of one clip in words alone: noise, distortion, naturalness, continuity (MOS-RMBench, Sec. 4.2, App. B.2 Fig. 5).

The paper trains models on it that write such a critique before a head gives the score. The reply is JSON, which is ours: of
free text nobody could say whether it was cut off.
"""

from functools import partial
from typing import Final

from annotate.models.parse.strict_json import Field, Text, written
from annotate.models.task import TaskSpec
from annotate.models.tasks.critique_pair import CONCLUSION

FIELDS: Final[dict[str, Field]] = {name.lower(): Text(longest=2_000) for name in CONCLUSION.criteria}

PLUGIN: Final = TaskSpec(
    name="critique_clip",
    subject="samples",
    templates={"en": "critique_clip.en.jinja"},
    fields=(),
    audios={"Audio": "audio"},
    gives=tuple(FIELDS),
    parse=partial(written, fields=FIELDS),
)
