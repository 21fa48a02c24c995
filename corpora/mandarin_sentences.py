"""Fifty Mandarin sentences that nobody has recorded, to be spoken after an English speaker: a corpus for cross-lingual prompts.

The sentences are everyday ones, written for this project and dedicated to the public domain (CC0-1.0); numbers are written in
characters. They are said to be Allison Smith's, the speaker of the Asterisk prompts (``corpora.asterisk_prompts``), whose
recordings come along as references. Only prompts of up to ten words are read, so that a recipe with
``prompts: {min_words: 11}`` takes every sentence for a target and every recording for a reference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import pyarrow as pa

from contracts.licences import Licence
from corpora.asterisk_prompts import AsteriskPrompts
from corpora.links import FollowLinks
from corpora.reader import Utterance, batches
from corpora.root import Root

_SENTENCES: Final = Path(__file__).with_suffix(".txt")
_LONGEST_REFERENCE_WORDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class MandarinSentences:
    """Reader of the sentences and of the recordings of their speaker, which lie below the root ``/usr/share``.

    Rows of sentences have no recording; their ids are ``mandarin-01``, ``mandarin-02``, ... in the order of the file.

    Attributes:
        name: name of the corpus in the recipe.
        license: SPDX expression of the sentences.
        attribution: who made the recordings, as the card of a release credits them.
        follow_links: ``inside`` follows links that stay in the corpus (see ``corpora.links``), ``anywhere`` all.
    """

    DEFAULT_ROOT: ClassVar[str | None] = AsteriskPrompts.DEFAULT_ROOT

    name: str = "mandarin_sentences"
    license: Licence = "CC0-1.0"
    attribution: str = AsteriskPrompts.attribution
    follow_links: FollowLinks = "inside"

    def read(self, root: str) -> Iterator[pa.RecordBatch]:
        """Yield the sentences, then the recordings (see ``corpora.reader.Corpus``)."""
        return batches(self.name, self._utterances(Root(self.name, root, self.follow_links)))

    def _utterances(self, root: Root) -> Iterator[Utterance]:
        recorded = AsteriskPrompts(name=self.name, follow_links=self.follow_links).utterances(root)
        for number, text in enumerate(_SENTENCES.read_text(encoding="utf-8").splitlines(), start=1):
            yield Utterance(
                source_id=f"mandarin-{number:02d}",
                text=text,
                speaker_id=AsteriskPrompts.SPEAKER,
                language="zh",
                license=self.license,
            )
        yield from (row for row in recorded if row.text is None or len(row.text.split()) <= _LONGEST_REFERENCE_WORDS)


PLUGIN = MandarinSentences
