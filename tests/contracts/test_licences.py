"""Licences are SPDX expressions, or say what they should be."""

import pytest

from contracts.licences import is_non_commercial, licence_hint, licence_of, obstacles_to_publishing, wants_credit


@pytest.mark.parametrize(
    ("stated", "licence"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("mit or (bsd-2-clause and isc)", "MIT OR (BSD-2-Clause AND ISC)"),
        ("LicenseRef-EST-2003 AND MIT-Festival", "LicenseRef-EST-2003 AND MIT-Festival"),
        ("CC BY 4.0", None),
        ("GPLv3", None),
        ("research only", None),
        ("NOASSERTION", None),
        ("", None),
    ],
)
def test_licence_of(stated, licence):
    """Canonical case; what SPDX does not know is refused."""
    assert licence_of(stated) == licence


@pytest.mark.parametrize(
    ("stated", "nearest"),
    [("CC BY 4.0", "'CC-BY-4.0'"), ("Apache 2", "'Apache-2.0'"), ("?", "LicenseRef-"), ("PDM", "write an SPDX")],
)
def test_an_unknown_licence_is_told_the_nearest_one(stated, nearest):
    """Or how to name one that SPDX does not list."""
    assert nearest in licence_hint(stated)


@pytest.mark.parametrize(
    ("licence", "wants"),
    [
        ("CC-BY-4.0", True),
        ("CC-BY-NC-SA-3.0", True),
        ("MIT AND CC-BY-SA-3.0", True),
        ("ODbL-1.0", True),
        ("OGL-UK-3.0", True),
        ("CC0-1.0", False),
        ("MIT", False),
    ],
)
def test_who_asks_for_credit(licence, wants):
    """All licences of Creative Commons but the dedication to the public domain, and those of open data that ask for it."""
    assert wants_credit(licence) == wants


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("CC-BY-NC-4.0", True),
        ("CC-BY-NC-SA-3.0", True),
        ("MIT AND CC-BY-NC-ND-4.0", True),
        ("PolyForm-Noncommercial-1.0.0", True),
        ("MIT AND LicenseRef-Databaker-NonCommercial", True),
        ("LicenseRef-piper-lessac", False),
        ("CC-BY-SA-3.0", False),
        ("NCSA", False),  # the University of Illinois' licence, by its name
        ("BSD-3-Clause-No-Nuclear-License", False),
        ("NOASSERTION", False),
    ],
)
def test_licences_that_forbid_commercial_use(licence, forbids):
    """SPDX says it in the identifiers of Creative Commons and PolyForm; references say it in theirs."""
    assert is_non_commercial(licence) is forbids


@pytest.mark.parametrize(
    ("licence", "obstacles"),
    [
        ("CC-BY-SA-3.0 AND GPL-3.0-or-later", []),
        ("GPL-3.0-or-later WITH Bison-exception-2.2", []),
        ("CC0-1.0 AND CC-BY-NC-4.0", ["CC-BY-NC-4.0"]),
        ("MIT OR (BSD-2-Clause AND LicenseRef-ESD)", ["LicenseRef-ESD"]),
        ("LicenseRef-CPML-NonCommercial", ["LicenseRef-CPML-NonCommercial"]),
        ("NOASSERTION", ["NOASSERTION"]),
        ("CC0-1.0 AND NOASSERTION", ["NOASSERTION"]),
        (None, ["NOASSERTION"]),
        ("", ["NOASSERTION"]),
    ],
)
def test_what_stands_against_publishing(licence, obstacles):
    """Licences that forbid commercial use, that nobody stated, or whose terms SPDX does not know."""
    assert list(obstacles_to_publishing(licence)) == obstacles
