"""The instructions of a listening test as a text, for annotators who do not use the app."""

from annotate.people.web.instructions import instructions_of, pay_of
from annotate.people.web.rendering import owner_text
from annotate.people.web.site import ListeningSite
from annotate.people.web.words import LANGUAGES, words
from flows.recipe.listening_checks import require, terms_of
from flows.run.pipeline import Build


def own_guidance(build: Build) -> str | None:
    """Return the owner's instructions, English ones first; None where the test has those of its protocol."""
    own = require(build.recipe).site.instructions
    return own.get("en") or next((text for text in own.values() if text), None)


def written_instructions(build: Build) -> str:
    """Return instructions, pay and contact in every language of the interface, as the app's page has them."""
    settings, section = terms_of(build.recipe), require(build.recipe)
    site = ListeningSite(base_url="http://localhost", **section.site.model_dump())
    parts = []
    for language in LANGUAGES:
        texts = words(language)
        lines = [
            f"# {texts['instructions']}",
            *owner_text(site.instructions, language, instructions_of(settings, texts, language)),
        ]
        if pay := pay_of(site, texts):
            lines.append(f"{texts['pay']}: {pay}")
        if site.contact:
            lines.append(f"{texts['contact']} {site.contact}")
        parts.append("\n\n".join(lines))
    return "\n\n\n".join(parts) + "\n"
