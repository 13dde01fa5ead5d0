"""What a person's own words ask for: names, amounts and sites that stand in them.

These are the trusted half of an assistant's input. What a tool returned (a page, a file, a payment's subject) may have
been written by anybody and is never read here.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

LINK = re.compile(
    r"(?<![@\w.-])(?:https?://[^\s<>\"'`)\]]+|(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|info|biz|co|me|ru|xyz|site|link)\b"
    r"(?:[/?:#][^\s<>\"'`)\]]*)?)",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.,])\d+(?:\.\d+)?(?![\w])")


def stands_in(name: str, text: str) -> bool:
    """Return whether a name stands in a text as words of its own; names of fewer than three letters never do."""
    name = name.strip()
    return len(name) >= 3 and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def asks_to(verbs: str, name: str, text: str) -> bool:
    """Return whether a text has both a name and one of the verbs (alternatives of a regular expression)."""
    return stands_in(name, text) and re.search(rf"\b(?:{verbs})", text, re.IGNORECASE) is not None


def amounts(text: str) -> frozenset[Decimal]:
    """Return every number of a text."""
    return frozenset(Decimal(number.replace(",", "")) for number in NUMBER.findall(text))


def site(link: str) -> str:
    """Return the host that a link leads to, without `www.`; empty if it leads to none."""
    try:
        host = urlsplit(link if "://" in link else f"https://{link}").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.").rstrip(".")


def sites(texts: Iterable[str]) -> frozenset[str]:
    """Return the hosts of all links in some texts; an e-mail address is not a link."""
    return frozenset(site(link) for text in texts for link in LINK.findall(text)) - {""}
