"""Where the door is and which token opens it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from .errors import TokenError

DEFAULT_URL = "http://127.0.0.1:7980"


def door_url(told: str | None, environment: Mapping[str, str]) -> str:
    """The door's URL without what follows the host's path.

    Raises `ValueError` for what is no URL of HTTP.
    """
    url = (told or environment.get("TESSERA_API") or DEFAULT_URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"the door has a URL such as {DEFAULT_URL}, not {url!r}")
    return url.removesuffix("/v1")


def is_here(url: str) -> bool:
    """Whether the door is on this machine, so that no proxy leads to it."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")


def token_file(environment: Mapping[str, str]) -> Path:
    """Where the token lies that is used without another."""
    config = environment.get("XDG_CONFIG_HOME")
    base = Path(config) if config else Path(environment.get("HOME") or Path.home()) / ".config"
    return base / "tessera" / "token"


def token(told: str | None, environment: Mapping[str, str]) -> str | None:
    """The token; an empty one is none, for what needs none.

    Raises `TokenError` where there is none, or others could have read its file.
    """
    if told is None:
        told = environment.get("TESSERA_TOKEN")
    if told is None:
        told = _read(token_file(environment))
    told = told.strip()
    if not all("!" <= letter <= "~" for letter in told):
        raise TokenError("the token has characters that no token has; was it copied whole?")
    return told or None


def _read(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(4096)
    except FileNotFoundError:
        raise TokenError(
            "no token: set TESSERA_TOKEN, give token=…, or write it to the file, which "
            f"`tessera studio token add NAME` prints it for: {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"the token cannot be read ({error}): {path}") from error
    # Windows has no such bits; its home folders are private.
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        open_to = f"its mode is {stat.S_IMODE(mode):04o}"
        raise TokenError(f"others may read the token, {open_to}; say chmod 600: {path}")
    return text
