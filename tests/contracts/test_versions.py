"""When a reported version is the demanded one."""

import pytest

from contracts.versions import meets


@pytest.mark.parametrize(
    ("reported", "demanded", "met"),
    [
        ("flite-2.2", "2.2", True),
        ("flite-2.2", "flite-2.2", True),
        ("flite-2.21", "2.2", False),
        ("flite-2.2.1", "2.2", False),
        ("flite-12.2", "2.2", False),
        ("flite-2.2rc1", "2.2", False),
        ("flite-99.0", "2.2", False),
        ("onnxruntime 1.20.1, espeak-ng 1.51", "1.51", True),
        ("onnxruntime 1.20.1, espeak-ng 1.51", "onnxruntime 1.20.1, espeak-ng 1.51", True),
        ("onnxruntime 1.20.1, espeak-ng 1.51", "onnxruntime 1.20", False),
        ("cosyvoice2.yaml sha256:0123456789abcdef", "0123456789abcdef", True),
        ("1", "1", True),
        ("10", "1", False),
        ("2x2", "2.2", False),
    ],
)
def test_a_version_is_met_as_a_whole(reported, demanded, met):
    """No version is met by one that begins, ends or looks like it."""
    assert meets(reported, demanded) is met
