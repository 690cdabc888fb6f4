"""The text of an HTML page, without the frame around it, ruby resolved to the base text. Imports nothing of ours."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

# What every page of a site repeats. Heuristics for a page's "main content" drop lists and short answers, which
# in-house pages consist of; what these selectors miss, the removal of repeated lines finds.
_FRAME = [
    "nav",
    "aside",
    "footer",
    "body > header",
    "[role=banner]",
    "[role=navigation]",
    "[role=contentinfo]",
    "[role=search]",
    ".breadcrumb",
    ".breadcrumbs",
    "#breadcrumb",
    ".sidebar",
    "#sidebar",
    "#footer",
    "#header",
]
# Readings in small type above the characters; the parentheses around them are for browsers without ruby.
_READINGS = "rt, rp, rtc"

# A list of which at least so much is link text is a menu; lists in prose have links in a few items at most.
_MENU_LINK_SHARE = 0.8

# Formatting that is left open is opened again in every paragraph that follows: a page of 50 kB can become 4 GB. Lists
# in lists, readings, and attributes of one tag take time that grows with the square of their number.
_NESTING = re.compile(
    r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u|ul|ol|rt|rp|rtc|rb)(?=[\s/>])", re.IGNORECASE
)
_MAX_TAG = 20_000
_LONG_TAG = re.compile(rf"<[^<>]{{{_MAX_TAG}}}")
_MAX_COST = 2_000_000
_MAX_CHARACTERS = 2_000_000


def page_text(html: str) -> str:
    """The text a reader of the page reads.

    >>> page_text("<body><nav>ホーム</nav><p>ポンプの<ruby>揚程<rt>ようてい</rt></ruby>を測る。</p></body>")
    'ポンプの揚程を測る。'
    """
    tree = HTMLTree.parse(html)
    if tree.document is None:
        return ""
    # values(): going over the list itself takes time quadratic in its length; so does the outermost reading first.
    for reading in reversed(list(tree.document.query_selector_all(_READINGS).values())):
        reading.decompose()
    for listing in tree.document.query_selector_all("ul, ol").values():
        if _is_menu(listing):
            listing.decompose()
    text: str = extract_plain_text(tree, skip_elements=_FRAME, comments=False)
    return text.strip()


def is_costly(html: str) -> bool:
    """Whether reading the page may take seconds or gigabytes, which only one in many thousands does."""
    if len(html) > _MAX_CHARACTERS or (len(html) > _MAX_TAG and _LONG_TAG.search(html)):
        return True
    tags = html.count("<")
    if tags * tags <= _MAX_COST:  # nine pages of ten: they cannot be nested so deeply that it matters
        return False
    open_now: Counter[str] = Counter()
    depth, most = 0, 0
    for tag in _NESTING.finditer(html):
        name = tag[2].lower()
        if not tag[1]:
            open_now[name] += 1
            depth += 1
        elif open_now[name]:
            open_now[name] -= 1
            depth -= 1
        most = max(most, depth)
    return most * tags > _MAX_COST


def _is_menu(listing: Any) -> bool:
    characters = len("".join(listing.text.split()))
    linked = sum(len("".join(link.text.split())) for link in listing.query_selector_all("a").values())
    return characters > 0 and linked >= _MENU_LINK_SHARE * characters
