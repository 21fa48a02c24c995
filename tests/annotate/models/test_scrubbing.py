"""Keys are taken out of what servers say."""

import base64
import html
import json
import random
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from annotate.models.scrubbing import scrub

KEY = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\\\\'), min_size=8)


@given(KEY, st.integers(0, 2**64), st.text(max_size=20), st.text(max_size=20))
@example("A0000000000000%00", 1, "", "")  # a key that holds what looks like an escape
def test_no_way_to_write_it_in_json_hides_a_key(key, escaped, before, after):
    """Whichever of its characters are escaped, in either case of hexadecimal digits, nothing of it is left."""
    forms = ["\\u%04x", "\\u%04X"]
    written = "".join(forms[n % 2] % ord(one) if escaped >> n & 1 else one for n, one in enumerate(key))
    assert json.loads(f'"{written}"') == key
    assert scrub(f"{json.dumps(before)}{written}{json.dumps(after)}", key).count("***") >= 1
    assert written not in scrub(f'"{written}"', key)


OURS = "sk-proj-AbC1dEf2GhI3jKl4MnO5pQr6StU7"
FORMS = {
    "zero width": "\u200b".join(OURS),
    "soft hyphens": "\u00ad".join(OURS),
    "zero width in JSON": "\\u200b".join(OURS),
    "line break": f"{OURS[:10]}\n{OURS[10:]}",
    "line break in JSON": f"{OURS[:10]}\\n{OURS[10:]}",
    "spaces": " ".join(OURS),
    "bars": "|".join(OURS),
    "list": json.dumps(list(OURS)),
    "URL": "".join(f"%{ord(one):02x}" for one in OURS),
    "URL twice": urllib.parse.quote("".join(f"%{ord(one):02X}" for one in OURS)),
    "URL with zero width": "%E2%80%8B".join(OURS),
    "HTML": "".join(f"&#{ord(one)};" for one in OURS),
    "HTML in hexadecimal": "".join(f"&#x{ord(one):X};" for one in OURS),
    "HTML entities between": "&ZeroWidthSpace;".join(OURS),
    "HTML in JSON": json.dumps(html.escape("".join(f"&#{ord(one)};" for one in OURS))),
    "tags between": f"{OURS[:9]}<b>{OURS[9:20]}</b>{OURS[20:]}",
    "JSON twice": "".join(f"\\\\u{ord(one):04x}" for one in OURS),
    "backslash x": "".join(f"\\x{ord(one):02x}" for one in OURS),
    "base64": base64.b64encode(OURS.encode()).decode(),
    "base64 behind other bytes": base64.b64encode(f"Bearer {OURS}".encode()).decode(),
    "base64 in the middle": base64.urlsafe_b64encode(f"?{OURS}??".encode()).decode(),
    "base64 in lines": base64.encodebytes(f"{'x' * 50}{OURS}".encode()).decode(),
    "hexadecimal": OURS.encode().hex(),
    "backwards": OURS[::-1],
    "other case": OURS.swapcase(),
    "wide": "".join(chr(ord(one) + 0xFEE0) for one in OURS),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_key_in_disguise_is_taken_out(name):
    """Nothing of it is left, what stands around it stays, and JSON stays JSON."""
    around = ("The key you sent, ", ", is not valid: see the page.")
    told = scrub(FORMS[name].join(around), OURS)
    assert told.startswith(around[0])
    assert told.endswith(around[1])
    left = told.removeprefix(around[0]).removesuffix(around[1])
    assert "***" in left
    assert sum(one.isalnum() for one in left) == 0
    body = scrub(json.dumps({"error": {"message": FORMS[name].join(around), "code": 401}}), OURS)
    assert json.loads(body)["error"]["code"] == 401
    assert "***" in json.loads(body)["error"]["message"]


def test_every_echo_is_taken_out():
    """Of several in several forms, none stays."""
    told = scrub(" and ".join([OURS, FORMS["URL"], FORMS["base64"], OURS, FORMS["HTML"]]), OURS)
    assert told == " and ".join(["***"] * 5)


@pytest.mark.parametrize("size", [0, 100, 20_000])
def test_what_holds_no_key_is_not_touched(size):
    """Ordinary replies, escapes and encoded sounds."""
    rng = random.Random(size)
    sound = base64.b64encode(rng.randbytes(size)).decode()
    text = json.dumps({"content": "Prosody & rhythm: 100 % < fine\n\u8bf4\u8bdd sk-proj-" * 20, "sound": sound})
    assert scrub(text, OURS) == text


def test_a_short_key_is_taken_out_as_it_is_written():
    """In other forms it could be a part of any text."""
    assert scrub("a tiger-8 in TIGER 8", "tiger-8") == "a *** in TIGER 8"
