"""Versions that a recipe demands of what speaks, measures or listens."""

import re


def meets(reported: str, demanded: str) -> bool:
    """Say whether a reported version is the demanded one: equal to it, or naming it as a whole.

    ``2.2`` is met by ``flite-2.2``, and neither by ``flite-2.21`` nor by ``flite-2.2.1``. Of a report with several versions
    (``onnxruntime 1.20.1, espeak-ng 1.51``) one may be demanded, or all by the whole text.
    """
    return re.search(rf"(?<![\w.]){re.escape(demanded)}(?![\w.])", reported) is not None


def wrong_version(who: str, reported: str, demanded: str) -> str:
    """Return what to say when a machine has another version than a recipe demands."""
    return f"{who} has the version {reported!r} here, the recipe demands {demanded!r}: install that one, or demand the other"
