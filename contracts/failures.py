"""Rows of ``failures``: what was wanted and could not be made."""

from contracts import ids


def legible(text: str) -> str:
    """Return a text from outside as a table can hold it: JSON can spell halves of surrogate pairs, UTF-8 cannot."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def failure(stage: str, row_id: str, subject_id: str, reason: str, message: str) -> dict[str, str]:
    """Return one row of ``failures`` as a dict; what a provider's message holds that is no text is replaced."""
    return {
        "failure_id": ids.row_id("failure", stage, row_id),
        "stage": stage,
        "row_id": row_id,
        "subject_id": subject_id,
        "reason": reason,
        "message": legible(message)[:2000],
    }
