"""A changed corpus is noticed by names and metadata alone."""

from corpora.corpus_state import state


def test_changes_are_noticed(tmp_path):
    """An edited manifest, a new, a removed and a renamed file each change the state; nothing changed, nothing noticed."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a.wav").write_bytes(b"1")
    (tmp_path / "m.csv").write_text("id")
    seen = [state(str(tmp_path))]
    assert state(str(tmp_path)) == seen[0]

    def changed():
        seen.append(state(str(tmp_path)))
        return len(set(seen)) == len(seen)

    (tmp_path / "m.csv").write_text("id,text")
    assert changed()
    (tmp_path / "sub/b.wav").write_bytes(b"2")
    assert changed()
    (tmp_path / "sub/b.wav").rename(tmp_path / "sub/c.wav")
    assert changed()
    (tmp_path / "sub/c.wav").rename(tmp_path / "c.wav")
    assert changed()


def test_what_cannot_change_or_be_looked_at_has_no_state(tmp_path):
    """A bucket is read once, and a package's folder changes with the package only."""
    assert state("s3://bucket/corpus") is None
    assert state("/usr/share") is None
