"""Forms as they are posted: every question answered once, with words that were offered."""

from collections.abc import Mapping, Sequence

from annotate.people.store.protocol import Question
from contracts.errors import DataError


def read_form(questions: Sequence[Question], form: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return question -> words chosen, in the order offered; flags that no box was ticked of are none.

    Raises:
        DataError: a choice is missing, a field is unknown or given twice, or a word was not offered.
    """
    known = {question.name for question in questions}
    for name in form:
        if name not in known:
            raise DataError(f"the form has a field {name!r} that the protocol does not ask for")
    return {question.name: _chosen(question, form.get(question.name, ())) for question in questions}


def _chosen(question: Question, words: Sequence[str]) -> tuple[str, ...]:
    if isinstance(words, str):  # a mapping of single values would be read letter by letter
        raise DataError(f"{question.name}: a list of words is needed, got the word {words!r}")
    for word in words:
        if word not in question.options:
            raise DataError(f"{question.name}: {word!r} is none of {', '.join(question.options)}")
    if len(set(words)) < len(words) or (question.kind == "choice" and len(words) > 1):
        raise DataError(f"{question.name}: answered more than once")
    if question.kind == "choice" and not words:
        raise DataError(f"{question.name}: not answered")
    return tuple(option for option in question.options if option in words)
