"""Rewards as trainers call them: one file per trainer, over ``scoring.rewards``.

They import next to nothing beside this project: pydantic and typing_extensions, numpy, regex, and sacrebleu for BLEU. In a
trainer's environment that is ``pip install --no-deps unisrm-data`` and these packages, of which trainers bring most along.
"""
