"""The envelope of a reply: what may stand around its text without a meaning, and the two blocks of a training text."""

import re
from typing import Final

from annotate.models.task import ParseError

_FENCE: Final = re.compile(r"```[A-Za-z]*\n(.*)\n```", re.DOTALL)
# The end of a reasoning model's own block, where the reply that was asked for begins with such a block itself.
_OWN_END: Final = re.compile(r"</think>(?=\s*(?:```[A-Za-z]*\s*)?<think>)")
_LONGEST: Final = 100_000
_BLOCKS: Final = re.compile(r"<think>(.*)</think>\s*<answer>(.*)</answer>", re.DOTALL)
TAGS: Final = ("<think>", "</think>", "<answer>", "</answer>")
"""What stands around the blocks."""

# Half characters, and those in which text can be written that nobody sees: tags, selectors of no character, bidi overrides.
_NO_TEXT: Final = re.compile(r"[\x00\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e00ff]")


def opened(reply: str, *, thinks: bool = False) -> str:
    """Return a reply without white space around it, Windows line ends and one Markdown fence around the whole.

    A reasoning model may write down its own thoughts first, as ``<think>...</think>`` (the opening tag may be missing where the
    server's chat template gave it): they are no part of the reply, and are removed.

    Args:
        reply: the reply's text.
        thinks: whether the format that was asked for has a think block itself, which stays.

    Raises:
        ParseError: ``empty_reply``, ``reply_long``, or ``not_text`` for half characters and hidden text.
    """
    if len(reply) > _LONGEST:
        raise ParseError("reply_long", f"the reply has {len(reply)} characters, at most {_LONGEST} are allowed")
    text = reply.replace("\r\n", "\n").strip()
    if odd := _NO_TEXT.search(text):
        raise ParseError("not_text", f"character {odd.start() + 1} of the reply is U+{ord(odd[0]):04X}, which is no text")
    text = _without_thoughts(text, thinks).strip()
    fence = _FENCE.fullmatch(text)
    text = fence[1].strip() if fence else text
    if not text:
        raise ParseError("empty_reply", "the reply is empty")
    return text


def _without_thoughts(text: str, thinks: bool) -> str:
    if not thinks:
        return text.rpartition("</think>")[2]
    ends = [match.end() for match in _OWN_END.finditer(text)]
    return text[ends[-1] :] if ends else text


def with_thoughts(content: str, thoughts: str) -> str:
    """Return a reply with the thoughts that a server parsed out of it put back before it.

    Before a content that has such a block, they are the model's own and no part of the reply. Some servers leave the tags on.
    """
    if "<think>" in content:
        return content
    return f"<think>{thoughts.strip().removeprefix('<think>').removesuffix('</think>')}</think>{content}"


def blocks(text: str) -> tuple[str, str]:
    """Return the contents of the think block and of the answer block of an opened reply.

    Raises:
        ParseError: ``think_block`` or ``answer_block`` where there is not one of each, ``text_outside``.
    """
    for tag in TAGS:
        if (count := text.count(tag)) != 1:
            reason = "think_block" if "think" in tag else "answer_block"
            raise ParseError(reason, f"the reply has {count} {tag}, it must have exactly one")
    match = _BLOCKS.fullmatch(text)
    if match is None:
        raise ParseError("text_outside", "the reply must be <think>...</think><answer>...</answer> and nothing else")
    return match[1], match[2].strip()


def in_blocks(thoughts: str, answer: str) -> str:
    """Write both blocks."""
    return f"<think>\n{thoughts}\n</think><answer>{answer}</answer>"
