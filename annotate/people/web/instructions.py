"""The app's own page of instructions: what is heard, why, what for, what it takes, and how to answer (UniSRM, appendix G.2)."""

from collections.abc import Mapping

from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.protocol import ListeningProtocol, asks_about_critiques
from annotate.people.web.site import ListeningSite


def instructions_of(settings: ListeningSettings, texts: Mapping[str, str], language: str) -> str:
    """Return the instructions of a test in a language of the interface, with blank lines between paragraphs.

    Args:
        settings: of the test; its protocol says how to answer.
        texts: of the interface in that language.
        language: the language.
    """
    protocol = settings.protocol
    limit = protocol.max_plays
    plays = texts["instructions_free_plays"] if limit is None else texts["instructions_plays"].replace("{n}", str(limit))
    return "\n\n".join(
        text
        for text in (
            texts[f"instructions_{_heard(protocol)}"],
            texts["instructions_purpose"],
            texts["instructions_use"],
            texts["instructions_needed"].replace("{languages}", known_languages(settings.languages, texts)),
            plays,
            protocol.guidance.get(language, next(iter(protocol.guidance.values()), "")),
            texts["instructions_gold"],
        )
        if text
    )


def _heard(protocol: ListeningProtocol) -> str:
    if protocol.clips == 1:
        return "single"
    return "critique" if asks_about_critiques(protocol) else "pair"


def known_languages(levels: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """Return languages with the level that each takes, for a sentence."""
    return ", ".join(
        f"{texts.get(f'language_{language}', language)} ({texts[f'level_{level}']})" for language, level in levels.items()
    )


def pay_of(site: ListeningSite, texts: Mapping[str, str]) -> str:
    """Return what listeners are paid, for the page of consent; empty = nothing is stated."""
    if site.pay_per_item is None:
        return site.pay
    each = texts["pay_each"].replace("{pay}", f"{site.pay_per_item:g}").replace("{currency}", site.currency)
    return f"{each}. {site.pay}" if site.pay else each
