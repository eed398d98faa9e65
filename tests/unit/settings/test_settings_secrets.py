"""Secrets, given and in files: read when they are needed, and never shown."""

import os
import pickle
from pathlib import Path

import pytest

from exporter.settings import SecretText
from tests.unit.settings.configured import SECRET, loaded, mistakes

LARGEST = 64 * 1024


def of_file(file: Path, key: Path | str) -> list[str]:
    return mistakes(file, f"accounts: [{{id: 1, api_key_file: '{key}'}}]")


@pytest.mark.parametrize(
    "content",
    [b"a key", b"a key\n", b"  a key\r\n\r\n", b"\xef\xbb\xbfa key\n", b"\ta key" + b"\n" * (LARGEST - 6)],
)
def test_the_white_space_around_a_secret_is_dropped(tmp_path: Path, content: bytes) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    assert SecretText(path=key).read() == "a key"
    (tmp_path / "c.yml").write_text(f"accounts: [{{id: 1, api_key_file: {key}}}]")
    assert loaded(tmp_path / "c.yml").accounts[0].secret().read() == "a key"
    assert loaded(tmp_path / "d.yml", "accounts: [{id: 1, api_key: ' a key '}]").accounts[0].secret().read() == "a key"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (f"{SECRET}\nand more".encode(), "holds characters that a secret cannot have, such as line breaks"),
        (f"{SECRET}\0".encode(), "holds characters that a secret cannot have, such as line breaks"),
        (SECRET.encode() + b"\xff", "is not text"),
        (SECRET.encode("utf-16"), "is not text"),
        (b"x" * (LARGEST + 1), "is too large for a secret"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused_without_being_quoted(tmp_path: Path, content: bytes, what: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(content)
    assert of_file(tmp_path / "c.yml", key) == [f"accounts.0.api_key_file (FILE:1): {key} {what}"]
    with pytest.raises(ValueError, match=f"^{what}$") as caught:
        SecretText(path=key).read()
    assert caught.value.__cause__ is None  # An error of decoding quotes what it read.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file, key, pipe = tmp_path / "c.yml", tmp_path / "key", tmp_path / "pipe"
    place = "accounts.0.api_key_file (FILE:1): "
    assert of_file(file, key) == [f"{place}cannot read {key}: No such file or directory"]
    assert of_file(file, tmp_path) == [f"{place}cannot read {tmp_path}: Is a directory"]
    assert of_file(file, file / "x") == [f"{place}cannot read FILE/x: Not a directory"]
    assert of_file(file, "") == [f"{place}is not a file's name"]
    os.mkfifo(pipe)
    assert of_file(file, pipe) == [f"{place}{pipe} is not a regular file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(SECRET)
    key.chmod(0)
    (line,) = of_file(tmp_path / "c.yml", key)
    assert line.endswith(f"cannot read {key}: Permission denied")


def test_a_file_is_read_each_time(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("one")
    secret = SecretText(path=key)
    assert secret.read() == "one"
    key.write_text("two")
    assert secret.read() == "two"


def test_the_ways_to_log_in_have_their_secrets(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("123456")
    text = f"accounts: [{{id: 1, username: u, password_file: {key}, auth: oidc, totp_file: {key}}}]"
    account = loaded(tmp_path / "c.yml", text).accounts[0]
    totp = account.totp_secret()
    assert totp is not None
    assert (account.secret().read(), totp.read()) == ("123456", "123456")
    assert loaded(tmp_path / "c.yml", "accounts: [{id: 1, api_key: a-key}]").accounts[0].totp_secret() is None


def test_settings_never_show_a_secret(tmp_path: Path) -> None:
    text = f"accounts: [{{id: 1, username: u, auth: oidc, password: {SECRET}, totp: {SECRET}}}]"
    settings = loaded(tmp_path / "c.yml", text)
    account = settings.accounts[0]
    shown = [settings, account, account.secret(), account.totp_secret(), settings.model_dump()]
    assert not [each for each in shown if SECRET in f"{each!r} {each} {each!s}"]
    assert SECRET not in settings.model_dump_json()
    assert account.secret() == SecretText(SECRET)
    assert SECRET.encode() in pickle.dumps(account.secret())  # It is there, all the same.


def test_a_changed_secret_is_a_change_of_the_account(tmp_path: Path) -> None:
    one, two = (loaded(tmp_path / "c.yml", f"accounts: [{{id: 1, api_key: {key}}}]") for key in ("one", "two"))
    assert one.accounts[0] != two.accounts[0]
