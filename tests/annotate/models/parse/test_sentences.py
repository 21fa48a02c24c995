"""Sentences are counted as a reader counts them; the expected numbers are counted by hand."""

import pytest

from annotate.models.parse.sentences import sentence_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("Clear", 1),
        ("Clear.", 1),
        ("Clear. Steady.", 2),
        ("It scores 8.5 of 10. It is 0.5 s long.", 2),
        ("It has flaws, e.g. A click, vs. none.", 1),
        ("It is slow, i.e. Measured, approx. 3 s late.", 1),
        ("She asked “Why?” and left.", 1),
        ("She asked “Why?” Then she left.", 2),
        ("Really?! Yes!", 2),
        ("Well... it stops.", 1),
        ("Well... It stops.", 2),
        ("Speech A is better than Speech B. Its voice fits.", 2),
        ("1. It is clear. 2. It is warm.", 2),
        ("One.\nTwo.\nThree", 3),
        ("It costs 3.", 1),
        ("字词清楚。", 1),
        ("字词清楚\uff0c语气平稳", 1),
        ("字词清楚。语气平稳。", 2),
        ("他问\uff1a“为什么\uff1f”然后走了。", 2),
        ("字词清楚\uff01语气平稳\uff1f很好。", 3),
        ("得分8.5\uff0c很自然。有轻微噪声", 2),
        ("字词清楚.语气平稳.", 2),
        ("停顿很长……像在思考。", 1),
        ("Speech A 更自然。Speech B 有噪声。", 2),
    ],
)
def test_sentences_are_counted(text, count):
    assert sentence_count(text) == count
