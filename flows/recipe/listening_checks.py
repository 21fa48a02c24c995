"""Checks of a recipe's listening test against the rest of the recipe."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from annotate.people.store.item import Answer
from annotate.people.store.listening_settings import ListeningSettings
from annotate.people.store.protocol import ListeningProtocol, asks_about_critiques
from contracts import plugins
from contracts.errors import RecipeError
from flows.recipe.listening_section import VERIFIER, Listening, MadeGold
from flows.recipe.model import Recipe
from flows.recipe.parts import Plugin
from synth.gold_clips import Harm


def terms_of(recipe: Recipe) -> ListeningSettings:
    """Return the terms of a recipe's listening test.

    Raises:
        RecipeError: it has none, or an unknown protocol or option.
    """
    section = require(recipe)
    return ListeningSettings(
        protocol=plugins.configure("protocol", section.protocol.name, section.protocol.options),
        protocol_name=section.protocol.name,
        languages=section.languages,
        lease_s=section.lease_minutes * 60,
        gold_every=section.gold_every,
        qualification=section.qualification,
        qualification_pass=section.qualification_pass,
        most_answers=paid_answers(section),
        seed=recipe.seed,
        test=recipe.name if section.store else "",  # a file is in the workspace, a database may be shared
    )


def paid_answers(section: Listening) -> int | None:
    """Return how many answers the budget pays for; None = there is no budget."""
    if section.budget_pay is None or section.site.pay_per_item is None:
        return None
    return int(Decimal(str(section.budget_pay)) / Decimal(str(section.site.pay_per_item)))


def require(recipe: Recipe) -> Listening:
    """Return the section.

    Raises:
        RecipeError: the recipe has none.
    """
    if recipe.listening is None:
        raise RecipeError(f"recipe {recipe.name} has no section listening: nobody is asked to listen")
    return recipe.listening


def check_listening(recipe: Recipe) -> None:
    """Check that the listening test fits the rest of the recipe.

    Raises:
        RecipeError: an unknown protocol or rule, a wrong option, a protocol for something else, critiques that nobody writes,
            splits that the recipe does not make, a verification by votes without ``invalid``, filters of votes without votes,
            or votes on pairs without a filter that uses them.
    """
    section = recipe.listening
    readers = [rule.name for rule in recipe.filters if "votes" in plugins.configure("filter", rule.name, rule.options).columns]
    if readers and (section is None or section.of != "pairs"):
        raise RecipeError(f"filter {readers[0]!r} reads people's votes: add listening with of: pairs")
    if section is None:
        return
    terms = terms_of(recipe)
    _check_subject(recipe, section, terms.protocol)
    doubled = sorted({rule.name for rule in section.rules if sum(other.name == rule.name for other in section.rules) > 1})
    if doubled:
        raise RecipeError(f"listening.rules: {', '.join(doubled)} is named twice")
    for rule in section.rules:
        plugins.configure("listener_rule", rule.name, rule.options)
    _check_gold(section, terms)
    values = words_of(terms.protocol)
    if section.of == "splits":
        made = recipe.splits.named()
        if missing := [name for name in section.splits if name not in made]:
            raise RecipeError(f"listening.splits: {', '.join(missing)}: splits makes {', '.join(sorted(made))} only")
        plugins.configure("filter", VERIFIER, section.verification)
        if "invalid" not in values:
            raise RecipeError(
                f"listening.protocol: {section.protocol.name!r} cannot verify labels: take {_protocols(verifying=True)}"
            )
        _check_votes(terms, "listening.verification", section.verification)
    elif section.verification:
        raise RecipeError("listening.verification is for of: splits")
    for rule in (rule for rule in recipe.filters if rule.name in readers):
        _check_reader(terms, rule)
    if section.of == "pairs":
        _check_decided(values, readers)


def _check_gold(section: Listening, terms: ListeningSettings) -> None:
    """Refuse gold that nobody can make or read."""
    if isinstance(section.gold, MadeGold) and not gold_harms(terms.protocol):
        raise RecipeError(
            f"listening.gold: made: protocol {section.protocol.name!r} does not ask which of two clips is better: name a file"
        )
    if isinstance(section.gold, str) and not re.search(r"\.(csv|jsonl)$", section.gold):
        raise RecipeError(f"listening.gold: {section.gold} must end in .csv or .jsonl")


def _check_subject(recipe: Recipe, section: Listening, protocol: ListeningProtocol) -> None:
    """Refuse a protocol for something else, and a test of critiques that nobody writes."""
    if protocol.clips == 1:
        fits, fitting = section.rated(), "samples"
    elif asks_about_critiques(protocol):
        fits, fitting = section.of == "critiques", "critiques"
    else:
        fits, fitting = section.subjects == "pairs", "pairs, splits or check"
    if not fits:
        raise RecipeError(f"listening.protocol: {section.protocol.name!r} is for of: {fitting}, not {section.of}")
    if section.of == "critiques" and not recipe.has_critiques:
        raise RecipeError(
            "listening.of: nobody writes critiques of pairs: it is for recipes with critiques: {pairs: {name: ...}}"
        )


def _check_decided(words: Sequence[str], readers: Sequence[str]) -> None:
    """Refuse votes on pairs without a filter that uses them: the labels would be the judge's, whatever the votes."""
    if "invalid" in words:
        deciders, effect = [VERIFIER], "keeps what they confirm"
    else:
        deciders = [name for name, rule in plugins.intact("filter").items() if rule.makes_labels]
        effect = "makes the labels of them"
    if not set(deciders) & set(readers):
        raise RecipeError(
            f"listening: of: pairs: people's votes would decide nothing: add {' or '.join(deciders)} to filters, which {effect}"
        )


def _check_reader(terms: ListeningSettings, rule: Plugin) -> None:
    """Refuse a filter of votes that cannot read those of the protocol."""
    if (rule.name == VERIFIER) != ("invalid" in words_of(terms.protocol)):
        fitting = _protocols(verifying=rule.name == VERIFIER)
        raise RecipeError(f"filter {rule.name!r} cannot read votes by {terms.protocol_name!r}: take the protocol {fitting}")
    if rule.name == VERIFIER:
        _check_votes(terms, f"filters: {VERIFIER}", rule.options)


def _check_votes(terms: ListeningSettings, place: str, options: dict[str, Any]) -> None:
    """Refuse a verification that needs more votes than a pair gets: it would drop every pair in the end."""
    needed, asked = plugins.configure("filter", VERIFIER, options).votes, terms.protocol.votes_needed(())
    if needed > asked:
        raise RecipeError(f"{place}: votes: {needed} are needed, but protocol {terms.protocol_name!r} asks for {asked} a pair")


def words_of(protocol: ListeningProtocol) -> Sequence[str]:
    """Return the values of a vote by a protocol; none if it only rates."""
    asked = [question for question in protocol.questions if question.kind == "choice" and question.about is None]
    return asked[0].options if asked and protocol.clips == 2 else ()


def gold_harms(protocol: ListeningProtocol) -> Sequence[Harm]:
    """Return what may be done to a clip so that listeners who follow a protocol surely prefer the untouched one.

    Only a protocol that can call a pair invalid asks about the whole of it: half a sentence can sound as natural as the whole.
    """
    if not gold_values(protocol, "a", "noise"):
        return ()
    return ("noise", "cut") if "invalid" in words_of(protocol) else ("noise",)


def gold_values(protocol: ListeningProtocol, right: str, harm: str) -> tuple[str, ...]:
    """Return the right answers to a made gold item: those that prefer the untouched clip.

    ``invalid`` is right of a clip that is cut in half, too: severe truncation makes a pair invalid (UniSRM, appendix G.2).
    """
    values = words_of(protocol)
    preferring = tuple(value for value in values if protocol.side(Answer(value=value)) == right)
    return (*preferring, "invalid") if preferring and harm == "cut" and "invalid" in values else preferring


def _protocols(*, verifying: bool) -> str:
    """Return the names of the protocols for pairs that verify labels, or of those that do not."""
    words = {name: words_of(protocol) for name, protocol in plugins.intact("protocol", plugins.configure).items()}
    return " or ".join(name for name, known in words.items() if known and ("invalid" in known) == verifying)
