import hashlib
import hmac
import os
import stat

import pytest

from cxr_enhance.io import pseudonym, read_pseudonym_key, user_pseudonym_key

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "settings"))
    return tmp_path / "settings"


def test_a_pseudonym_is_the_start_of_the_keyed_hash_of_the_stripped_bytes():
    expected = hmac.new(KEY, b"SECRET-4711", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("SECRET-4711", KEY) == expected
    assert pseudonym(" SECRET-4711 \0", KEY) == expected
    assert pseudonym("secret-4711", KEY) != expected
    assert pseudonym("SECRET-4711", KEY[::-1]) != expected


def test_bytes_of_any_character_set_are_hashed_as_they_are():
    for raw in (b"M\xfcller", "Müller".encode()):
        expected = hmac.new(KEY, raw, hashlib.sha256).hexdigest()[:32]
        assert pseudonym(raw.decode("utf-8", "surrogateescape"), KEY) == expected


def test_white_space_around_a_key_does_not_count(tmp_path):
    (tmp_path / "key").write_bytes(b"\n" + KEY + b"\r\n")
    assert read_pseudonym_key(tmp_path / "key") == KEY


def test_an_empty_id_and_a_short_key_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`patient_id` must not be empty"):
        pseudonym("  ", KEY)
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="must hold at least 16 bytes; got 5"):
        read_pseudonym_key(tmp_path / "key")


def test_the_users_key_is_made_once_for_the_user_alone(settings):
    key, path, made = user_pseudonym_key()
    assert made
    assert path == settings / "cxr-enhance/pseudonym.key"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert user_pseudonym_key() == (key, path, False)
    assert [entry.name for entry in path.parent.iterdir()] == ["pseudonym.key"]


def test_a_key_that_is_there_is_never_replaced(settings):
    (settings / "cxr-enhance").mkdir(parents=True)
    (settings / "cxr-enhance/pseudonym.key").write_bytes(KEY)
    assert user_pseudonym_key()[0] == KEY
