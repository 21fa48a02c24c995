"""People who listen: they sign in to a build's store, hear what they must, and say what a script tells them to."""

import time
from collections.abc import Callable

from annotate.people.store.item import Answer
from annotate.people.store.store_records import Assignment, Finished
from annotate.people.store.vote_store import Store
from flows.listening.store import store_place
from flows.recipe.listening_checks import terms_of
from flows.run.pipeline import Build


class Clock:
    """A clock that the listeners move while they listen."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def hear(store: Store, clock: Clock, assignment: Assignment, who: str) -> None:
    """Play all that has to be heard, to its end."""
    for playable in (*assignment.references, *assignment.history, *assignment.clips):
        if playable.required:
            store.played(assignment.assignment_id, who, playable.slot, "started")
            clock.now += playable.clip.duration_s
            store.played(assignment.assignment_id, who, playable.slot, "ended")


def listen(
    build: Build, name: str, say: Callable[[str], str], *, most: int = 10_000, thinking_s: float = 4.0, level: str = "native"
) -> str:
    """Let one person vote until nothing is left or ``most`` items are answered; return their pseudonym.

    ``say`` maps a pair to a value in the pair's stored order, or a sample to its rating on all scales.
    """
    clock = Clock()
    with Store(store_place(build), terms_of(build.recipe), clock=clock) as store:
        who = store.invite(name, dict.fromkeys(("en", "zh"), level)).annotator_id
        store.consent(who)
        store.confirm_equipment(who)
        for _ in range(most):
            given = store.next(who)
            if isinstance(given, Finished):
                break
            hear(store, clock, given, who)
            clock.now += thinking_s
            said = Answer(value=say(given.item.subject_id))
            if store.settings.protocol_name == "speechjudge":
                said = Answer(value=said.value, errors_a=(), errors_b=())
            elif store.settings.protocol.clips == 1:
                scales = [question.name for question in store.settings.protocol.questions]
                said = Answer(scores=dict.fromkeys(scales, float(said.value or 0)))
            store.answer(given.assignment_id, who, store.settings.protocol.swapped(said) if given.order == "ba" else said)
    return who
