"""What ``unisrm-data build`` says on standard error before and after the work; of a collection with the names of its parts."""

import sys
from collections.abc import Sequence

from flows.entry.preflight import check_machine
from flows.listening.store import missed_deadline
from flows.run.damage import has_damaged
from flows.run.kind import Job
from flows.run.marks import notes_of
from flows.run.questions import lost_ledger
from flows.stages.listeners import unused_votes
from flows.stages.released import release_faults


def print_deadlines(jobs: Sequence[Job]) -> None:
    """Say whose listening test ended before anybody was asked."""
    for job in jobs:
        if (ended := missed_deadline(job.build)) is not None:
            _say(job.named(ended))


def check_jobs(jobs: Sequence[Job]) -> bool:
    """Say what is wrong with a release or a ledger, and return whether there may be work.

    Raises:
        SetupError: something that the work needs is missing.
        StorageError: replies may have to be bought, and the ledger is not the one that was used.
    """
    is_left = False
    for job in jobs:
        for fault in release_faults(job.build) if job.is_whole else ():
            print(f"release: {fault}", file=sys.stderr)
        is_left |= bool(check_machine(job.build, job.stages)) or has_damaged(job.build, job.stages)
        if (lost := lost_ledger(job.build)) is not None:
            _say(f"nothing is bought in this build, but: {job.named(' '.join(str(lost).split()))}")
    return is_left


def print_notes(jobs: Sequence[Job]) -> None:
    """Say what the books of finished stages note."""
    for job in jobs:
        for note in (*notes_of(job.build, job.stages), unused_votes(job.build)):
            if note is not None:
                _say(job.named(note))


def _say(line: str) -> None:
    print(f"unisrm-data: {line}", file=sys.stderr)
