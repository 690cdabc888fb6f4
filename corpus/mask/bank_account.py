"""Account numbers of Japanese banks and of Japan Post Bank."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.kernels.numbers import LONG_NUMBER
from corpus.mask.kind import ALONE_AFTER, GAP, Kind

# Seven digits; some write the branch's three before them.
_ACCOUNT = re.compile(
    rf"(?:口座(?:番号)?|普通(?:預金)?(?:口座)?|当座(?:預金)?(?:口座)?|貯蓄(?:預金)?(?:口座)?|(?<=[(])[普当])\)?{GAP}"
    rf"((?:[0-9]{{3}}-)?[0-9]{{7}}){ALONE_AFTER}"
)
# Japan Post Bank: a symbol of five digits that begins with 1, and a number of up to eight that ends in 1.
_POST = re.compile(
    rf"記号{GAP}(1[0-9]{{4}})(?:-[0-9])?(?:[ ]*[-/、,]?[ ]*(?:番号)?{GAP}|-)([0-9]{{2,7}}1){ALONE_AFTER}"
)
# In a letter the bank comes first and the branch last: みずほ銀行 新宿支店 (普) 1234567.
_AFTER_BRANCH = re.compile(rf"(?:支店|本店|出張所|営業部)[ 、]*(?:普通|当座|普|当)?[ :]*([0-9]{{7}}){ALONE_AFTER}")


def find_bank_accounts(text: str) -> Iterator[tuple[int, int]]:
    """Where account numbers stand that a word announces.

    >>> list(find_bank_accounts("口座番号は1234567です"))
    [(5, 12)]
    """
    for pattern in (_ACCOUNT, _AFTER_BRANCH):
        for match in pattern.finditer(text):
            yield match.span(1)
    for match in _POST.finditer(text):
        yield match.span(1)
        yield match.span(2)


BANK_ACCOUNT = Kind("bank_account", find_bank_accounts, shapes=LONG_NUMBER, words=("記号1", "記号 1"))
