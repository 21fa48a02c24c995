"""What the store returns: annotators, assignments, receipts of answers, and the progress of the test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from annotate.people.store.item import Item, ItemClip, Order
from contracts.errors import DataError

State = Literal["invited", "consented", "equipped", "qualified", "failed", "excluded", "elsewhere"]


class Refused(DataError):
    """The store refuses a call that is not allowed now; nothing has changed.

    Reasons:
        unknown_annotator: nobody was invited under this id.
        elsewhere: the votes of this annotator were imported; such an annotator cannot take part here.
        not_consented: the consent comes first.
        not_equipped: the check of headphones and environment comes first.
        failed: the qualification test was not passed.
        excluded: the annotator was excluded.
        unknown_assignment: there is none of this id, or it is another annotator's (a page must not learn which).
        unknown_slot: the item has no such clip.
        not_started: the end of a clip was reported, but not its start.
        too_early: the end of a clip was reported before it can have been heard; ``wait_s`` = missing time.
        no_plays_left: the clip has been played as often as allowed.
        not_heard: a required clip has not been played to its end.
        answered: another answer was given before, and stays.
        expired: the lease has ended, and the item is assigned to another annotator.
        unknown_item: there is no item of this id.
        only_gold: the build made the item as a test, so it cannot become an ordinary one.
        unknown_value: a gold value that no answer can have.

    Attributes:
        reason: one of the words above.
        wait_s: seconds after which a retry may succeed; 0 = it will not.
    """

    def __init__(self, reason: str, message: str, *, wait_s: float = 0.0) -> None:
        """Create the error."""
        super().__init__(message)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """One listener.

    Attributes:
        annotator_id: random pseudonym; nothing else of a person leaves the store.
        name: real name, for admins.
        levels: language -> level, of ``listening_settings.LEVELS``.
        state: step reached; ``elsewhere`` = the annotator is known from imported votes and was never invited.
        reason: rule that excluded the annotator, or ``qualification`` if that test was failed; None = neither.
        evidence: the numbers behind the reason.
        pardoned: an admin has overruled the rules permanently.
        answered: number of items answered, gold items included.
        is_imported: the annotator is known from imported votes and was never invited; stays true after an exclusion.
        revocation_count: how often links and sessions were revoked; those of a lower number are void.
    """

    annotator_id: str
    name: str
    levels: Mapping[str, str]
    state: State
    reason: str | None = None
    evidence: Mapping[str, Any] | None = None
    pardoned: bool = False
    answered: int = 0
    is_imported: bool = False
    revocation_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Playable:
    """A clip of an assignment, as the page shows it.

    Attributes:
        slot: its name: ``0`` and ``1`` in the order of playing, ``reference0``, ``history2``.
        clip: the recording.
        required: it must be heard to its end before an answer.
        heard: it has been heard to its end.
        plays: how often it was started.
        plays_left: how often it may still be started; None = without limit.
    """

    slot: str
    clip: ItemClip
    required: bool
    heard: bool
    plays: int
    plays_left: int | None


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """An item leased to one annotator.

    Attributes:
        assignment_id: random; says nothing about the item.
        item: the item in the stored order, without its gold values.
        order: which clip is played first.
        clips: the clips to be judged, in the order of playing.
        references: prompt speech.
        history: previous turns, in order.
        expires_at: end of the lease, seconds since 1970.
        qualification: part of the qualification test.
    """

    assignment_id: str
    item: Item
    order: Order
    clips: tuple[Playable, ...]
    references: tuple[Playable, ...]
    history: tuple[Playable, ...]
    expires_at: float
    qualification: bool

    def playable(self, slot: str) -> Playable:
        """Return the clip of a slot.

        Raises:
            Refused: ``unknown_slot``.
        """
        for playable in (*self.clips, *self.references, *self.history):
            if playable.slot == slot:
                return playable
        raise Refused("unknown_slot", f"this item has no clip {slot!r}")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """There is no item for this annotator now.

    Attributes:
        reason: ``done`` = no item is left; ``no_gold`` = the qualification test needs more gold items, which an admin has to
            add; ``no_budget`` = what is paid for answers is used up; ``failed`` and ``excluded`` = the annotator
            gets no more items.
    """

    reason: Literal["done", "no_gold", "no_budget", "failed", "excluded"]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """Confirms that an answer is on disk.

    Attributes:
        assignment_id: the assignment that was answered.
        answer_id: key of the answer.
        number: number of items that the annotator had answered before.
    """

    assignment_id: str
    answer_id: str
    number: int


@dataclass(frozen=True, kw_only=True)
class StratumProgress:
    """Progress of the ordinary items of one stratum and language.

    Attributes:
        stratum: of ``Item``.
        language: of ``Item``.
        items: number of items.
        complete: items that have all their votes.
        votes: votes that count.
        wanted: votes needed in total, as far as known: a third vote is needed once two disagree.
    """

    stratum: str
    language: str
    items: int
    complete: int
    votes: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class ListeningProgress:
    """Progress of a listening test; gold and withdrawn items are left out.

    Attributes:
        items: number of items.
        complete: items that have all their votes.
        waiting: items that need more votes.
        votes: votes that count.
        wanted: votes needed in total, as far as known.
        leases: items assigned now.
        strata: the same by stratum and language, sorted.
        labels: imported labels that were aggregated from votes that are not here; they are no votes.
        discarded: reason why votes do not count -> number of votes.
        closed: the test assigns no more items.
        gold: number of gold items.
        answers: all answers, tests and discarded ones included, imported labels too: what is paid for.
    """

    items: int
    complete: int
    waiting: int
    votes: int
    wanted: int
    leases: int
    strata: tuple[StratumProgress, ...]
    labels: int = 0
    discarded: Mapping[str, int] = field(default_factory=dict)
    closed: bool = False
    gold: int = 0
    answers: int = 0
