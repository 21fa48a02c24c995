"""Texts of a protocol in exported files: its English texts, and which end of a scale is best."""

from typing import Final

from annotate.people.store.protocol import FormQuestion, ListeningProtocol

LANGUAGE: Final = "en"


def guidance_of(protocol: ListeningProtocol, own: str | None = None) -> list[str]:
    """Return how to answer, paragraph by paragraph: in the owner's own words, else as the app's page of instructions has it."""
    text = own or protocol.guidance.get(LANGUAGE, next(iter(protocol.guidance.values()), ""))
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


def question_text(question: FormQuestion) -> str:
    """Return the text of a question; a scale of numbers says which end is best."""
    text = question.text_in(LANGUAGE)
    return f"{text}: {question.options[0]} = worst, {question.options[-1]} = best" if question.is_scale else text


def option_texts(question: FormQuestion) -> dict[str, str]:
    """Return option -> its text."""
    return question.option_texts_in(LANGUAGE)


def options_by_text(question: FormQuestion) -> dict[str, str]:
    """Return text -> option, with the texts of earlier exports."""
    return dict(question.former_texts) | {words: option for option, words in option_texts(question).items()}
