"""Validation of posted forms: every question is answered once, with its own options."""

from collections.abc import Mapping, Sequence

from annotate.people.store.protocol import FormQuestion
from contracts.errors import DataError


def read_form(questions: Sequence[FormQuestion], form: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return question -> chosen options, in the order of the question; flags without a tick are empty.

    Raises:
        DataError: a choice is missing, a field is unknown or given twice, or a word is no option.
    """
    known = {question.name for question in questions}
    for name in form:
        if name not in known:
            raise DataError(f"the form has a field {name!r} that the protocol does not ask for")
    return {question.name: _chosen(question, form.get(question.name, ())) for question in questions}


def _chosen(question: FormQuestion, words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str):  # a bare string would be read letter by letter
        raise DataError(f"{question.name}: a list of words is needed, got the word {words!r}")
    for word in words:
        if word not in question.options:
            raise DataError(f"{question.name}: {word!r} is none of {', '.join(question.options)}")
    if len(set(words)) < len(words) or (question.kind == "choice" and len(words) > 1):
        raise DataError(f"{question.name}: answered more than once")
    if question.kind == "choice" and not words:
        raise DataError(f"{question.name}: not answered")
    return tuple(option for option in question.options if option in words)
