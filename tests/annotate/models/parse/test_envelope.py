"""What stands around a reply is taken off, and what is no text is refused."""

import pytest

from annotate.models.parse.envelope import opened
from annotate.models.task import ParseError


@pytest.mark.parametrize(
    "reply",
    ["a\nb", "  a\nb\n", "a\r\nb", "```\na\nb\n```", "```json\na\nb\n```", " ```\r\n\r\na\r\nb\r\n\r\n``` \r\n"],
)
def test_the_text_is_the_same_whatever_is_around_it(reply: str):
    """White space, Windows line ends and one fence."""
    assert opened(reply) == "a\nb"


@pytest.mark.parametrize("reply", ["```a```", "```\na", "a\n```", "````\na\n````", "see\n```\na\n```", "``` json\na\n```"])
def test_other_fences_stay(reply: str):
    """A fence counts only around the whole."""
    assert opened(reply) == reply


@pytest.mark.parametrize(
    "reply",
    [
        "<think>Hm. Output A: 8, Output B: 10?</think>\nscores",
        "Hm.\n</think>\n\nscores",  # the chat template opened the block
        "<think>I must not write </think> here.</think>scores",
        "<think></think>```\nscores\n```",
    ],
)
def test_thoughts_before_a_reply_are_no_part_of_it(reply: str):
    assert opened(reply) == "scores"


CARD = "<think>card</think><answer>a</answer>"


@pytest.mark.parametrize(
    "reply",
    [
        CARD,
        f"<think>Hm.</think>\n{CARD}",
        f"Hm.</think>{CARD}",
        f"<think>First {CARD}, I think.</think>{CARD}",
        f"<think>Hm.</think>\n```\n{CARD}\n```",
    ],
)
def test_the_block_that_was_asked_for_stays(reply: str):
    """The model's own thoughts may even rehearse it."""
    assert opened(reply, thinks=True) == CARD


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty_reply"),
        (" \n\t\u3000", "empty_reply"),
        ("```\n\n```", "empty_reply"),
        ("a\0b", "not_text"),
        ("a\ud83db", "not_text"),
        ("a\U000e0041b", "not_text"),
        ("a\u202eb", "not_text"),
        ("a" * 100_001, "reply_long"),
        (" " * 100_001, "reply_long"),
    ],
)
def test_no_text_is_refused(reply: str, reason: str):
    """Emptiness, half characters and endless repetition, which models do produce."""
    with pytest.raises(ParseError) as caught:
        opened(reply)
    assert caught.value.reason == reason


def test_the_place_of_half_a_character_is_named():
    """A person can find it."""
    with pytest.raises(ParseError, match=r"character 2 of the reply is U\+D83D"):
        opened("a\ud83db")
