from __future__ import annotations

import os
from pathlib import Path

import pytest

import tessera
from tessera import _settings


def test_the_door_is_where_it_is_said_to_be() -> None:
    def check(told: str | None, environment: dict[str, str], expected: str) -> None:
        assert _settings.door_url(told, environment) == expected

    check(None, {}, "http://127.0.0.1:7980")
    check(None, {"TESSERA_API": "https://farm.example/door/"}, "https://farm.example/door")
    check("http://b:1/v1", {"TESSERA_API": "http://a"}, "http://b:1")
    for odd in ("127.0.0.1:7980", "ftp://x", "http://", "/v1"):
        with pytest.raises(ValueError, match="has a URL such as"):
            _settings.door_url(odd, {})


def test_no_proxy_leads_to_this_machine() -> None:
    here = [_settings.is_here(it) for it in ("http://127.0.0.1:1", "http://[::1]:1", "http://a")]
    assert here == [True, True, False]


def test_a_token_is_given_or_in_the_environment_or_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "tessera" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("tes_file\n")
    file.chmod(0o600)
    home = {"HOME": str(tmp_path)}
    assert _settings.token("tes_given", {**home, "TESSERA_TOKEN": "tes_env"}) == "tes_given"
    assert _settings.token(None, {**home, "TESSERA_TOKEN": "tes_env\n"}) == "tes_env"
    assert _settings.token(None, home) == "tes_file"
    assert _settings.token("", home) is None
    elsewhere = {**home, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    with pytest.raises(tessera.TokenError, match="no token: set TESSERA_TOKEN"):
        _settings.token(None, elsewhere)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has modes of files")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o610])
def test_a_token_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / ".config" / "tessera" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("tes_file")
    file.chmod(mode)
    with pytest.raises(tessera.TokenError, match=f"{mode:04o}; say chmod 600"):
        _settings.token(None, {"HOME": str(tmp_path)})


def test_what_is_no_token_is_refused_before_it_is_a_header() -> None:
    for odd in ("tes_a b", "tes_\r\nX: y", "tés_"):
        with pytest.raises(tessera.TokenError, match="no token has"):
            _settings.token(odd, {})


def test_a_client_shows_no_token() -> None:
    with tessera.Client(token="tes_s3cret") as client:
        assert "s3cret" not in repr(client)
