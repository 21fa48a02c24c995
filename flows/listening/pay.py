"""What listeners are paid: planned, counted and capped. Every answer is paid, also to a gold item and one that is discarded."""

import math
from collections.abc import Sequence

from annotate.people.store.item import Item
from annotate.people.store.store_records import ListeningProgress
from flows.recipe.listening_checks import paid_answers
from flows.recipe.listening_section import Listening


def money(section: Listening, answers: int) -> str:
    """Return what answers cost, such as ``1,575.00 CNY``; the recipe states what each is paid."""
    return f"{answers * (section.site.pay_per_item or 0.0):,.2f} {section.site.currency}"


def is_spent(section: Listening, progress: ListeningProgress) -> bool:
    """Tell whether the budget pays for no further answer."""
    most = paid_answers(section)
    return most is not None and progress.answers >= most


def spent_line(section: Listening, progress: ListeningProgress) -> str:
    """Return what to do about a budget that is spent."""
    return (
        f"listening.budget_pay is spent: {progress.answers:,} answers took {money(section, progress.answers)}; set it "
        "higher and serve the test again, or end the test with `unisrm-data annotate close`"
    )


def affordable(section: Listening, items: Sequence[tuple[Item, int]], paid: int) -> list[Item]:
    """Return as many items as the rest of the budget pays for, in their order; all where there is no budget.

    Args:
        section: the listening test.
        items: items with the number of answers that each is short of.
        paid: number of answers given so far.
    """
    most, kept = paid_answers(section), list[Item]()
    for item, missing in items:
        paid += missing
        if most is not None and paid > most:
            break
        kept.append(item)
    return kept


def planned_pay(section: Listening, votes: int) -> str:
    """Return, for a plan, what so many votes cost with the gold items among them; empty = nobody is paid by the item."""
    if section.site.pay_per_item is None:
        return ""
    gold = math.ceil(votes / (section.gold_every - 1)) if section.gold_every > 1 else 0
    note = f"; {money(section, votes + gold)} with {gold:,} gold items"
    if section.qualification:
        note += f", and {money(section, section.qualification)} for the test of each listener"
    most = paid_answers(section)
    if most is not None and most < votes + gold:
        note += f"; budget_pay {section.budget_pay:,.2f} {section.site.currency} pays for {most:,} answers only"
    return note
