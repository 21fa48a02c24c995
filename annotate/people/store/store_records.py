"""What the store says: who an annotator is, what was handed out, what was received, and how far the test is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from annotate.people.store.item import Clip, Item, Order
from contracts.errors import DataError

State = Literal["invited", "consented", "equipped", "qualified", "failed", "excluded", "elsewhere"]


class Refused(DataError):
    """Something was asked out of order; nothing has changed.

    Reasons:
        unknown_annotator: nobody was invited under this id.
        elsewhere: the votes of this annotator were collected elsewhere; there is no way in here.
        not_consented: the consent comes first.
        not_equipped: the check of headphones and environment comes first.
        failed: the qualification test was not passed.
        excluded: the annotator was excluded.
        unknown_assignment: there is none of this id, or it is somebody else's (a page must not learn which).
        unknown_slot: the item has no such clip.
        not_started: a clip ended that never began.
        too_early: a clip ended before it can have been heard; ``wait_s`` says how much is lacking.
        no_plays_left: the clip has been played as often as it may be.
        not_heard: a clip that has to be heard has not ended yet.
        answered: another answer was given before, and stays.
        expired: the lease is over, and the item is somebody else's by now.
        unknown_item: there is no item of this id.
        unknown_value: a gold value that no answer can have.

    Attributes:
        reason: one of the words above.
        wait_s: seconds after which asking again may help; 0 = it will not.
    """

    def __init__(self, reason: str, message: str, *, wait_s: float = 0.0) -> None:
        """Keep the reason beside the message."""
        super().__init__(message)
        self.reason = reason
        self.wait_s = wait_s


@dataclass(frozen=True, kw_only=True)
class Annotator:
    """One listener.

    Attributes:
        annotator_id: random pseudonym, the only thing that leaves the store.
        name: who it is, for the one who invites.
        levels: language -> level, of ``terms.LEVELS``.
        state: how far along; ``elsewhere`` = votes were imported, and nobody was invited.
        reason: rule that excluded, or ``qualification`` of a failed one; None = neither.
        evidence: the numbers behind the reason.
        pardoned: an admin has overruled the rules for good.
        answered: how many items were answered, gold ones included.
        elsewhere: nobody was invited: the votes are imported ones. True of one who was excluded, too.
        revoked: how often links and sessions were revoked; those of a lower number are void.
    """

    annotator_id: str
    name: str
    levels: Mapping[str, str]
    state: State
    reason: str | None = None
    evidence: Mapping[str, Any] | None = None
    pardoned: bool = False
    answered: int = 0
    elsewhere: bool = False
    revoked: int = 0


@dataclass(frozen=True, kw_only=True)
class Playable:
    """A clip of an assignment, as the page knows it.

    Attributes:
        slot: its name: ``0`` and ``1`` in the order of playing, ``reference0``, ``history2``.
        clip: the recording.
        required: it has to be heard to the end before an answer.
        heard: it has been.
        plays: how often it was started.
        plays_left: how often it may still be started; None = without limit.
    """

    slot: str
    clip: Clip
    required: bool
    heard: bool
    plays: int
    plays_left: int | None


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """An item leased to one annotator.

    Attributes:
        assignment_id: random; says nothing about the item.
        item: what is asked about, in the stored order, and without what would tell that it is gold.
        order: which of the clips is played first.
        clips: those asked about, in the order of playing.
        references: prompt speech.
        history: turns before, in order.
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
        """Return what is played at a slot.

        Raises:
            Refused: ``unknown_slot``.
        """
        for playable in (*self.clips, *self.references, *self.history):
            if playable.slot == slot:
                return playable
        raise Refused("unknown_slot", f"this item has no clip {slot!r}")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """There is nothing to hand out to this annotator now.

    Attributes:
        reason: ``done`` = no item left; ``no_gold`` = too few gold items for the qualification test, which somebody has to add;
            ``failed`` and ``excluded`` = there will be nothing any more.
    """

    reason: Literal["done", "no_gold", "failed", "excluded"]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """An answer is on disk.

    Attributes:
        assignment_id: what was answered.
        answer_id: key of the answer.
        number: how many the annotator had answered before.
    """

    assignment_id: str
    answer_id: str
    number: int


@dataclass(frozen=True, kw_only=True)
class Share:
    """How far the ordinary items of one stratum and language are.

    Attributes:
        stratum: of ``Item``.
        language: of ``Item``.
        items: how many there are.
        complete: how many have all their votes.
        votes: how many are in and count.
        wanted: how many are needed in all, as far as known: a third vote is wanted once two disagree.
    """

    stratum: str
    language: str
    items: int
    complete: int
    votes: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a listening test is; gold and withdrawn items do not count.

    Attributes:
        items: how many there are.
        complete: how many have all their votes.
        waiting: how many have not.
        votes: how many are in and count.
        wanted: how many are needed in all, as far as known.
        leases: items that somebody is at now.
        shares: the same by stratum and language, sorted.
        labels: labels that were made elsewhere, of votes that nobody has here; they are no votes.
        discarded: why votes do not count -> how many.
        closed: nobody is asked any more.
    """

    items: int
    complete: int
    waiting: int
    votes: int
    wanted: int
    leases: int
    shares: tuple[Share, ...]
    labels: int = 0
    discarded: Mapping[str, int] = field(default_factory=dict)
    closed: bool = False
