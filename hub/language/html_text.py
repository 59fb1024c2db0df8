"""HTML to text a person can read, and text to HTML: for comments, summaries and mails."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

_DROPPED = frozenset(["script", "style", "head", "title", "template", "noscript", "svg", "iframe", "object"])
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre"])
_LINES = frozenset(["div", "li", "tr", "section", "article", "header", "footer", "address", "dt", "dd", "hr", "form"])
_SPACE = re.compile(r"[ \t\r\n\f\xa0]+")
_LINK = re.compile(r"https?://|mailto:|tel:", re.IGNORECASE)
# A `<` that begins no whole tag. Possessive and bounded, so that each one is looked at for a short while only.
# A whole tag, a declaration, or a `<` that begins neither. Possessive and bounded: each `<` is looked at for a short while.
_TAG = re.compile(
    r"""<(?:(/?[A-Za-z][A-Za-z0-9]*)((?:[^<>"']++|"[^"]{0,2000}+"|'[^']{0,2000}+'){0,100}+)>|[!?][^<>]*+>)?"""
)
_ATTRIBUTE = re.compile(r"""(?<![\w-])(href|alt)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def html_to_text(html: str) -> str:
    """The text of `html`: paragraphs stay paragraphs, a link keeps its address, scripts and styles are dropped."""
    reader = _Reader()
    # Cleaned first: html.parser would search the rest of the text for the end of everything that is begun and not closed.
    reader.feed(_TAG.sub(_clean, _without_comments(html)))
    reader.close()
    return reader.text()


def text_to_html(text: str) -> str:
    """`text` as HTML that shows just that: escaped, an empty line begins a paragraph, a line stays a line."""
    paragraphs = re.split(r"\n[ \t]*\n\s*", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    return "".join(f"<p>{escape(paragraph).replace(chr(10), '<br>')}</p>" for paragraph in paragraphs if paragraph)


def _clean(tag: re.Match[str]) -> str:
    name, rest = tag.groups()
    if name is None:
        return "&lt;" if tag.end() - tag.start() == 1 else ""
    attributes = ""
    for attribute in _ATTRIBUTE.finditer(rest):
        value = next(part for part in attribute.groups()[1:] if part is not None)
        value = value.replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
        attributes += f' {attribute.group(1).lower()}="{value}"'
    return f"<{name}{attributes}>"


def _without_comments(html: str) -> str:
    kept, at = [], 0
    while (begin := html.find("<!--", at)) >= 0:
        kept.append(html[at:begin])
        end = html.find("-->", begin)
        if end < 0:
            return "".join(kept)  # never closed: a browser shows nothing of it either
        at = end + 3
    return "".join(kept) + html[at:]


class _Reader(HTMLParser):
    """Collects lines; a break is one line's end or a paragraph's, and the larger of two breaks in a row wins."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._break = 0  # line ends that are due before the next word
        self._space = False
        self._hidden: list[str] = []  # the dropped element that is open
        self._pre = 0
        self._links: list[tuple[str, int]] = []

    def text(self) -> str:
        return "".join(self._parts).strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden:
            return
        if tag in _DROPPED:
            self._hidden.append(tag)
            return
        self._due(tag)
        if tag == "br":
            self._break = min(self._break + 1, 2)
        elif tag == "li":
            self._word("- ")
        elif tag in ("td", "th"):
            self._space = True
        elif tag == "pre":
            self._pre += 1
        elif tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self._parts)))
        elif tag == "img" and (alt := dict(attrs).get("alt")):
            self.handle_data(alt)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1] or tag == "body":
                self._hidden.pop()
            return
        self._due(tag)
        if tag == "pre":
            self._pre = max(self._pre - 1, 0)
        elif tag == "a" and self._links:
            address, begin = self._links.pop()
            shown = "".join(self._parts[begin:]).strip()
            bare = address.removeprefix("mailto:").removeprefix("tel:")
            if _LINK.match(address) and shown not in (address, bare):
                self._word(f" ({bare})" if shown else bare)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._pre:
            self._word(data)
            return
        words = _SPACE.sub(" ", data)
        if words.startswith(" "):
            self._space = True
        if words.strip(" "):
            self._word(words.strip(" "))
            self._space = words.endswith(" ")

    def _due(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._break = 2
        elif tag in _LINES:
            self._break = max(self._break, 1)

    def _word(self, word: str) -> None:
        if self._parts:
            if self._break:
                self._parts.append("\n" * self._break)
            elif self._space and not self._parts[-1].endswith((" ", "\n")):
                self._parts.append(" ")
        self._break, self._space = 0, False
        self._parts.append(word)
