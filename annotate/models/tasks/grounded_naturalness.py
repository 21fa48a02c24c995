"""How natural a clip sounds, reasoned on its acoustic features (after GSRM): what a model that hears it is trained to write.

Rows are written in this form of measured features, a text model's rationale (task ``grounded``) and people's ratings.
"""

from typing import Final

from annotate.models.parse.grounded_form import FIELDS, GroundedForm
from annotate.models.task import Dimension, TaskSpec

NATURALNESS: Final = Dimension(name="Naturalness", key="naturalness")
FORM: Final = GroundedForm(scores=(NATURALNESS.key,), scale=(1.0, 5.0))

PLUGIN: Final = TaskSpec(
    name="grounded_naturalness",
    subject="samples",
    templates={"en": "grounded_naturalness.en.jinja"},
    fields=(),
    passages=("feature_names",),
    audios={"Speech": "audio"},
    dimensions=(NATURALNESS,),
    scale=FORM.scale,
    gives=FIELDS,
    parse=FORM.parse,
    compose=FORM.compose,
)
