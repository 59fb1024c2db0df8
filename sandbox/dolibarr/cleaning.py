"""What Dolibarr does to texts before it keeps them, and which addresses it refuses.

Written from `sanitizeVal`, `dol_string_nohtmltag` and `dol_htmlwithnojs` in `core/lib/functions.lib.php`, and the check
of parameters in `main.inc.php`, with its default settings.
"""

from __future__ import annotations

import html
import re

_DROPPED = re.compile(
    r"""&#38|&#0000038|&#x26|&quot|&#34|&#0000034|&#x22|"|&#47|&#0000047|&#92|&#0000092|&#x2F|\.\./|\.\.\\""",
    re.IGNORECASE,
)
_TAG, _OPEN = re.compile(r"<[^<>]+>"), re.compile(r"<+([a-z]+)", re.IGNORECASE)
_KEPT = (
    "a article b blockquote br caption center cite code dd del dfn div dl dt em font h1 h2 h3 h4 h5 h6 hr i img li ol p pre "
    "s section span strong sub sup table tbody td tfoot th thead title tr tt u ul"
)
_NOT_KEPT = re.compile(rf"</?(?!(?:{'|'.join(_KEPT.split())})\b)[a-z][^<>]*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"&#(x?[0-9][0-9a-f]*);?", re.IGNORECASE)
INJECTION = re.compile(
    r"\"|delete\s*from|create\s*table|insert\s*into|select\s*from|into\s*(?:outfile|dumpfile)|user\s*\(|information_schema"
    r"|<svg|update[^&=\w].*set.+=|union.+select|<script|javascript\s*:", re.IGNORECASE,
)  # fmt: skip


def line(text: str) -> str:
    """`alphanohtml`: a line of text without tags, double quotes and ways up the tree; lines and blanks stay single."""
    before = None
    text = text.strip()
    while before != text:
        before = text
        text = re.sub(r"<br[^>]*>", "\n", text, flags=re.IGNORECASE)
        text = html.unescape(text).replace("< ", "__ltspace__")
        while (without := _TAG.sub("", text)) != text:
            text = without
        text = _OPEN.sub(r"\1", text)
        text = re.sub(r" {2,}", " ", text).replace("__ltspace__", "< ").strip()
        text = _DROPPED.sub("", text)
    return text


def note(text: str) -> str:
    """`restricthtml`: HTML of some tags; entities by number are dropped unless they are letters."""
    before = None
    text = text.strip()
    while before != text:
        before = text
        text = re.sub(r"&(?:tab|newline);", " ", text, flags=re.IGNORECASE).replace("&#39;", "&apos;")
        text = _NUMBER.sub(_letter, text)
        text = re.sub(r"&#x?[0-9]+", "", text, flags=re.IGNORECASE)
        text = _NOT_KEPT.sub("", text)
        text = re.sub(r"javascript\s*:", "", text, flags=re.IGNORECASE).replace("&apos;", "&#39;")
    return re.sub(r"(?:<br[^<>]*>|[\r\n])+$", "", text, flags=re.IGNORECASE)


def _letter(entity: re.Match[str]) -> str:
    digits = entity[1]
    code = int(digits[1:], 16) if digits[0] in "xX" else int(digits) if digits.isdecimal() else 0
    sign = chr(code) if 0 < code < 0x110000 else ""
    return sign if sign.isascii() and sign.isalpha() else entity[0].rstrip(";") + ";"
