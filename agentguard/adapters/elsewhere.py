"""An address on another machine: it is asked over TLS, and is what it says it is, whatever it answers."""

from __future__ import annotations

import urllib.parse
import urllib.request
from typing import Any

from agentguard.errors import ConfigurationError

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def encrypted(url: str, whose: str, *, plain_http: bool = False) -> urllib.parse.SplitResult:
    """Return the parts of an address that may be asked.

    Args:
        url: `https://…`; `http://` only to this machine, unless `plain_http`.
        whose: Whose address it is, for the message: `a witness's address`.
        plain_http: Ask it unencrypted wherever it is.

    Raises:
        ConfigurationError: It is not such an address; what may be secret in it is not told.
    """
    parts = urllib.parse.urlsplit(url)
    may_be_plain = plain_http or parts.hostname in _LOOPBACK
    if parts.scheme not in ("https", "http" if may_be_plain else "https") or not parts.hostname:
        shown = f"{parts.scheme}://{parts.hostname or ''}"
        raise ConfigurationError([f"expected {whose} that begins with `https://`, got `{shown[:100]}`"])
    return parts


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows nothing: who was named is asked, and nobody that they name."""

    def redirect_request(self, *_: Any) -> None:
        """Leave a redirect to the caller, as the answer that it is."""
