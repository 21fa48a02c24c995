"""Which pairs of rated clips are drawn, where there are far too many possible ones (MOS-RMBench, section 3.2; pure).

There are three categories of pairs: ``same_content`` (another speaker, system or condition), ``same_speaker_or_system``
(another content) and ``neither`` (another content, and another speaker and system). The system of a clip is what spoke it or,
of a person's recording, its condition: the paper counts both among the conditions of processing.

Uses are spread as in a regular graph. The clips of a content, speaker, system or pool stand on a circle, in an order that a
hash of their ids gives, and a pair joins two clips that are a few places apart. In rounds each clip gets one more pair, clips
with the fewest first, in an order that hashes give, too. So a lost clip changes the pairs around it, and most others stay.

Where not everything can be met, the shares of the categories give way first, then the even use, and the quota last.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.rng import hash_fraction

CATEGORIES: Final = ("same_content", "same_speaker_or_system", "neither")
RULE: Final = 1
"""Version of the rule: pairs that an older one drew are drawn anew."""

_REACH: Final = 8
_WIDER: Final = 8
_MOST_CANDIDATES: Final = 2_000_000
_DECIMALS: Final = 9  # so that 3.7 - 3.5 is a difference of 0.2

_Numbers = npt.NDArray[np.int64]
_Places = npt.NDArray[np.float64]
_Mask = npt.NDArray[np.bool_]


def draw(clips: pa.Table, wanted: Mapping[str, int], *, seed: int, min_gap: float = 0.0) -> pa.Table:
    """Draw pairs of clips; fewer than wanted where there are no more.

    Args:
        clips: ``sample_id``, ``audio_id``, ``rating`` (finite), ``pool`` and ``content_id`` (strings), and ``speaker_id``,
            ``system`` and ``condition`` (strings; null = unknown, and no system is a person). Both clips of a pair are of one
            pool.
        wanted: category -> pairs; only these categories are drawn.
        seed: decides which pairs.
        min_gap: the least difference of the ratings of a pair, which is above 0 in any case.

    Returns:
        Columns ``left`` and ``right``, row numbers of clips, and ``category``: each two clips at most once.
    """
    quota, drawing = sum(wanted.values()), _Drawing(_Clips.of(clips, seed, min_gap))
    even = max(1, 4 * quota // max(clips.num_rows, 1))  # twice the mean use
    drawing.fill(wanted, even)
    for most in (even, clips.num_rows):
        if missing := quota - len(drawing.taken):
            drawing.fill(dict.fromkeys(wanted, missing), most, missing)
    left, right, category = np.array(drawing.taken, np.int64).reshape(-1, 3).T
    return pa.table({"left": left, "right": right, "category": pa.array(CATEGORIES).take(pa.array(category))})


def uses(pairs: pa.Table, clips: int) -> _Numbers:
    """Return in how many drawn pairs each of the clips stands."""
    return np.bincount(np.concatenate([pairs["left"].to_numpy(), pairs["right"].to_numpy()]), minlength=clips)


@dataclass(frozen=True, kw_only=True)
class _Clips:
    """The clips of a cell as numbers; equal numbers are equal things, -1 is unknown."""

    pool: _Numbers
    content: _Numbers
    speaker: _Numbers
    system: _Numbers
    variant: _Numbers
    audio: _Numbers
    rating: _Places
    place: _Places
    turn: _Places
    min_gap: float

    @classmethod
    def of(cls, clips: pa.Table, seed: int, min_gap: float) -> "_Clips":
        ids = clips["sample_id"].to_pylist()
        speaker, system, condition = (_coded(clips[name]) for name in ("speaker_id", "system", "condition"))
        of_person = np.where(condition < 0, -1, condition + system.max(initial=-1) + 1)
        _, variant = np.unique(np.stack([speaker, system, condition]), axis=1, return_inverse=True)
        return cls(
            pool=_coded(clips["pool"]),
            content=_coded(clips["content_id"]),
            speaker=speaker,
            system=np.where(system < 0, of_person, system),
            variant=variant,
            audio=_coded(clips["audio_id"]),
            rating=clips["rating"].to_numpy(),
            place=np.array([hash_fraction(seed, "pairs/place", one) for one in ids]),
            turn=np.array([hash_fraction(seed, "pairs/turn", one) for one in ids]),
            min_gap=min_gap,
        )

    def candidates(self, category: str, reach: int) -> tuple[_Numbers, _Numbers]:
        """Return the pairs of a category, each once, whose clips are at most that many places apart."""
        found = [_near(self.place, group, reach) for group in self.circles(category)]
        left, right = (np.concatenate(side) for side in zip(*found, strict=True))
        first, second = np.minimum(left, right), np.maximum(left, right)
        _, once = np.unique(first * len(self.pool) + second, return_index=True)
        left, right = first[once], second[once]
        fits = self._fits(category, left, right)
        return left[fits], right[fits]

    def circles(self, category: str) -> Sequence[_Numbers]:
        """Return which circle each clip stands on, of each sort of circles that a category has; -1 = on none."""
        circles = {
            "same_content": [self.content],
            "same_speaker_or_system": [self.speaker, self.system],
            "neither": [np.zeros_like(self.pool)],
        }[category]
        return [np.where(of < 0, -1, self.pool * (of.max(initial=0) + 1) + of) for of in circles]

    def _fits(self, category: str, left: _Numbers, right: _Numbers) -> _Mask:
        gap = np.abs(self.rating[left] - self.rating[right]).round(_DECIMALS)
        fits: _Mask = (gap > 0) & (gap >= self.min_gap) & (self.audio[left] != self.audio[right])
        if category == "same_content":
            fits &= self.variant[left] != self.variant[right]
            return fits
        fits &= self.content[left] != self.content[right]
        if category == "neither":
            for of in (self.speaker, self.system):
                fits &= (of[left] != of[right]) | (of[left] < 0)
            voiced = (self.speaker >= 0) | (self.system >= 0)
            fits &= voiced[left] & voiced[right]
        return fits


class _Drawing:
    """Pairs that are drawn so far, and how often each clip is in one."""

    def __init__(self, clips: _Clips) -> None:
        self.taken = list[tuple[int, int, int]]()
        self._clips = clips
        self._use = np.zeros(len(clips.pool), np.int64)

    def fill(self, room: Mapping[str, int], most: int, left: int | None = None) -> None:
        """Draw more pairs.

        Args:
            room: category -> how many at most.
            most: in how many pairs a clip may be.
            left: how many in all at most; None = as there is room.
        """
        rooms = [room.get(name, 0) for name in CATEGORIES]
        left = sum(rooms) if left is None else left
        for reach in self._reaches([name for name in room if room[name]]):
            if left <= 0:
                return
            left -= self._rounds(rooms, most, left, reach)

    def _reaches(self, categories: Sequence[str]) -> Iterator[int]:
        """Yield wider and wider reaches, up to all pairs, or as many as memory has room for."""
        reach, widest = _REACH, 1
        for circle in (circle for name in categories for circle in self._clips.circles(name)):
            widest = max(widest, np.bincount(circle[circle >= 0]).max(initial=0) // 2)
        yield reach
        while reach < widest and len(self._use) * reach * _WIDER <= _MOST_CANDIDATES:
            reach *= _WIDER
            yield reach

    def _rounds(self, room: list[int], most: int, left: int, reach: int) -> int:
        """Draw pairs of this reach, and return how many; ``room`` is what is left of it then."""
        one, other, category = self._open(room, reach)
        turn = (self._clips.turn[one] + self._clips.turn[other]) % 1  # uniform, as each of the two is
        choice = self._choice(one, other, category)
        freedom = np.minimum(choice[one], choice[other])
        drawn, is_open = 0, np.ones(len(one), dtype=bool)
        while drawn < left:
            use, is_open = self._use, is_open & (np.array(room)[category] > 0)
            level = np.maximum(use[one], use[other])[is_open].min(initial=most) + 1
            if level > most:
                break
            now = np.flatnonzero(is_open & (use[one] < level) & (use[other] < level))
            now = now[np.lexsort((turn[now], freedom[now], use[one[now]] + use[other[now]]))]
            for edge, a, b, of in zip(*(of.tolist() for of in (now, one[now], other[now], category[now])), strict=True):
                if drawn < left and room[of] and use[a] < level and use[b] < level:
                    self.taken.append((a, b, of))
                    use[a] += 1
                    use[b] += 1
                    room[of] -= 1
                    drawn += 1
                    is_open[edge] = False
        return drawn

    def _choice(self, one: _Numbers, other: _Numbers, category: _Numbers) -> _Numbers:
        """Return for each clip how many categories have a pair for it: those with one alone come first."""
        has = np.zeros((len(self._use), len(CATEGORIES)), dtype=bool)
        has[one, category] = has[other, category] = True
        found: _Numbers = has.sum(axis=1)
        return found

    def _open(self, room: Sequence[int], reach: int) -> tuple[_Numbers, _Numbers, _Numbers]:
        """Return the pairs of this reach that are not drawn, and their categories."""
        found = [np.empty((3, 0), np.int64)]
        for number, name in enumerate(CATEGORIES):
            if room[number]:
                left, right = self._clips.candidates(name, reach)
                found.append(np.stack([left, right, np.full(len(left), number)]))
        one, other, category = np.concatenate(found, axis=1)
        taken = np.array([a * len(self._use) + b for a, b, _ in self.taken], np.int64)
        new = ~np.isin(one * len(self._use) + other, taken)
        return one[new], other[new], category[new]


def _coded(column: pa.ChunkedArray | pa.Array) -> _Numbers:
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    found: _Numbers = pc.fill_null(whole.dictionary_encode().indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _near(place: _Places, circle: _Numbers, reach: int) -> tuple[_Numbers, _Numbers]:
    """Return every two clips of a circle that are at most ``reach`` places apart, once."""
    order = np.lexsort((place, circle))
    order = order[np.searchsorted(circle[order], 0) :]
    _, start, sizes = np.unique(circle[order], return_index=True, return_counts=True)
    size, start = np.repeat(sizes, sizes), np.repeat(start, sizes)
    position = np.arange(len(order)) - start
    lefts, rights = [order[:0]], [order[:0]]
    for apart in range(1, min(reach, sizes.max(initial=0) // 2) + 1):
        has = (2 * apart < size) | ((2 * apart == size) & (position < apart))  # across a circle there is one pair, not two
        lefts.append(order[has])
        rights.append(order[start[has] + (position[has] + apart) % size[has]])
    return np.concatenate(lefts), np.concatenate(rights)
