"""Imported files of votes: whether their votes were imported before, and a summary of the import."""

import sys
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from annotate.people.exchange.vote_rows import VoteFile
from contracts.errors import DataError


def is_already_imported(given: pa.Table, held: pa.Table) -> bool:
    """Tell whether a file's votes of unnamed people were all imported before, and refuse a file that has changed since.

    In a changed file, old votes cannot be told from new ones.

    Raises:
        DataError: votes imported from a file of this name are not in it.
    """
    key, *_ = given.column_names
    keys, sources = set(given[key].to_pylist()), set(given["source"].to_pylist())
    rows = held.to_pylist()
    before = [row for row in rows if row["source"] in sources]
    if any(row[key] not in keys for row in before):
        ours = {key, "annotator_id", "source", "discarded"}  # earlier versions of the software gave other ids
        here, now = (
            Counter(repr([value for name, value in row.items() if name not in ours]) for row in each)
            for each in (before, given.to_pylist())
        )
        if here == now:
            return True
        name = next(iter(sources)).removeprefix("import:")
        raise DataError(
            f"{name}: {len(before)} votes of a file of this name are here, and it has other votes now: with annotators: unnamed"
            " nobody can tell which are new; if all are, give the file another name; else import a file of the new rows alone"
        )
    if others := {row["source"] for row in rows if row[key] in keys} - sources:
        names = ", ".join(sorted(source.removeprefix("import:") for source in others))
        print(
            f"these are the very votes of {names}, and count once; if they are other people's, set vendor in the mapping",
            file=sys.stderr,
        )
    return False


def import_summary(found: VoteFile, held: pa.Table, known_as: Mapping[str, str], new: int) -> str:
    """Return a line with the number of votes read, new, empty, repeated, skipped, not counted, and of problems."""
    key = found.table.column_names[1:3]
    given = zip(*(found.table[name].to_pylist() for name in key), strict=True)
    ours = {(subject, known_as.get(who, who)) for subject, who in given}
    rows = zip(*(held[name].to_pylist() for name in (*key, "discarded")), strict=True)
    left_out = Counter(why for subject, who, why in rows if why is not None and (subject, who) in ours)
    parts = [f"{found.table.num_rows} votes read", f"{new} of them new", f"{found.unanswered} places left empty"]
    parts += [f"{number} {what}" for number, what in ((found.repeated, "repeated"), (found.cancelled, "skipped")) if number]
    if left_out:
        parts.append(f"{left_out.total()} do not count ({', '.join(f'{why} {n}' for why, n in sorted(left_out.items()))})")
    if found.rejected:
        parts.append(f"{len(found.problems)} problems, see {found.rejected}")
    return ", ".join(parts)
