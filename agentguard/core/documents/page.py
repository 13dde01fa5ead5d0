"""A whole page of HTML, which loads nothing and runs nothing."""

from __future__ import annotations

from html import escape

from agentguard.core.documents.style import STYLE
from agentguard.core.prose import printable

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, body: str) -> str:
    """Return a page.

    Args:
        title: As text.
        body: As HTML, in which nothing is left that somebody else could have marked up.
    """
    return _PAGE.format(title=escape(printable(title)), style=STYLE, body=body)
