"""Keys are taken out of what servers say."""

import json

from hypothesis import given
from hypothesis import strategies as st

from annotate.scrubbing import scrub

KEY = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='"\\\\'), min_size=8)


@given(KEY, st.integers(0, 2**64), st.text(max_size=20), st.text(max_size=20))
def test_no_way_to_write_it_in_json_hides_a_key(key, escaped, before, after):
    """Whichever of its characters are escaped, in either case of hexadecimal digits, nothing of it is left."""
    forms = ["\\u%04x", "\\u%04X"]
    written = "".join(forms[n % 2] % ord(one) if escaped >> n & 1 else one for n, one in enumerate(key))
    assert json.loads(f'"{written}"') == key
    assert scrub(f"{json.dumps(before)}{written}{json.dumps(after)}", key).count("***") >= 1
    assert written not in scrub(f'"{written}"', key)
