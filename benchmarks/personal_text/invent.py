"""Invented personal data: every value is a pure function of a seed.

Nothing here is anybody's: phone numbers are of blocks that are assigned to nobody, domains and IP addresses those
kept for documentation, and other numbers random with check digits that are right.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from corpus.mask.kind import luhn
from corpus.mask.my_number import check_digit

WIDE = str.maketrans("0123456789-()@.", "０１２３４５６７８９－（）＠．")
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = _UPPER.lower()
_DIGITS = "0123456789"
_BASE64 = _UPPER + _LOWER + _DIGITS


def digits(random: Random, count: int) -> str:
    """So many digits."""
    return "".join(random.choices(_DIGITS, k=count))


def letters(random: Random, count: int, of: str = _BASE64) -> str:
    """So many characters."""
    return "".join(random.choices(of, k=count))


def grouped(random: Random, number: str, *sizes: int) -> str:
    """A number bare, or in groups with hyphens or spaces, now and then full-width."""
    between = random.choice(["", "-", "-", " "])
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    joined = between.join(parts)
    return joined.translate(WIDE) if random.random() < 0.15 else joined


def with_luhn(payload: str) -> str:
    """The number with its check digit."""
    return next(payload + digit for digit in _DIGITS if luhn(payload + digit))


def email(random: Random) -> str:
    """An address of a domain kept for documentation."""
    local = letters(random, random.randint(3, 9), _LOWER) + random.choice(["", ".k", "_2", "-info", "+news"])
    domain = random.choice(["example.com", "example.co.jp", "mail.example.jp", "sub.dept.example.org", "example.ne.jp"])
    return f"{local}@{domain}"


def phone(random: Random) -> str:
    """A number in any of the notations."""
    area, exchange, last = random.choice(
        [
            *(("03", "0000", 4), ("06", "0000", 4), ("045", "000", 4), ("0466", "00", 4), ("04992", "0", 4)),
            *(
                ("090", "0000", 4),
                ("080", "0000", 4),
                ("070", "0000", 4),
                ("050", "0000", 4),
                ("0120", "000", 3),
                ("0800", "000", 4),
            ),
        ]
    )
    line = digits(random, last)
    notation = random.randrange(8)
    if notation == 0 and area in ("090", "080", "070", "050", "0120"):
        return f"{area}{exchange}{line}"
    if notation == 1:
        return f"({area}){exchange}-{line}"
    if notation == 2:
        return f"{area}({exchange}){line}"
    if notation == 3 and not area.startswith("0120"):
        return f"+81-{area[1:]}-{exchange}-{line}"
    if notation == 4:
        return f"{area} {exchange} {line}"
    hyphenated = f"{area}-{exchange}-{line}"
    return hyphenated.translate(WIDE) if notation == 5 else hyphenated


def my_number(random: Random) -> str:
    """Twelve digits with a right check digit."""
    eleven = digits(random, 11)
    return grouped(random, f"{eleven}{check_digit(eleven)}", 4, 4, 4)


def credit_card(random: Random) -> str:
    """A number of one of the issuers."""
    first, length = random.choice(
        [
            ("4", 16),
            ("51", 16),
            ("2221", 16),
            ("34", 15),
            ("37", 15),
            ("36", 14),
            ("3528", 16),
            ("3589", 16),
            ("62", 16),
            ("6011", 16),
        ]
    )
    number = with_luhn(first + digits(random, length - len(first) - 1))
    return grouped(random, number, *((4, 4, 4, 4) if length == 16 else (4, 6, length - 10)))


def bank_account(random: Random) -> str:
    """Seven digits."""
    number = digits(random, 7)
    return number.translate(WIDE) if random.random() < 0.15 else number


def post_symbol(random: Random) -> str:
    """The symbol of an account at Japan Post Bank."""
    return f"1{digits(random, 3)}0"


def post_number(random: Random) -> str:
    """The number of one."""
    return f"{random.randint(1, 9)}{digits(random, random.randint(4, 6))}1"


def postal_code(random: Random) -> str:
    """Three digits and four."""
    code = f"{random.randint(1, 999):03d}-{digits(random, 4)}"
    return code.translate(WIDE) if random.random() < 0.15 else code


def driving_licence(random: Random) -> str:
    """Twelve digits that begin with a commission; the eleventh as it is said to be made."""
    ten = random.choice(["10", "20", "30", "45", "62", "90", "97"]) + f"{random.randint(0, 99):02d}" + digits(random, 6)
    remainder = sum(int(digit) * weight for digit, weight in zip(ten, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return f"{ten}{(11 - remainder) % 10}{random.choice('00012')}"


def passport(random: Random) -> str:
    """Two letters and seven digits."""
    return random.choice(["TK", "TR", "MU", "TZ", "NH"]) + digits(random, 7)


def insurer(random: Random) -> str:
    """A number of an insurer with a right check digit."""
    prefecture = f"{random.randint(1, 47):02d}"
    return with_luhn(random.choice(["", "01", "06", "31", "39"]) + prefecture + digits(random, 3))


def insured_symbol(random: Random) -> str:
    """The symbol on an insurance card."""
    return digits(random, random.randint(2, 8))


insured_number = insured_symbol


def birth_date(random: Random) -> str:
    """A full date in any of the notations."""
    year, month, day = random.randint(1930, 2015), random.randint(1, 12), random.randint(1, 28)
    return random.choice(
        [
            f"{year}年{month}月{day}日",
            f"昭和{random.randint(1, 63)}年{month}月{day}日",
            f"平成{random.randint(2, 30)}年{month}月{day}日",
            f"{year}/{month:02d}/{day:02d}",
            f"{year}-{month:02d}-{day:02d}",
            f"S{random.randint(1, 63)}.{month}.{day}",
            f"{year}年（昭和{random.randint(1, 63)}年）{month}月{day}日",
            f"昭和{'一二三四五六七八九'[random.randrange(9)]}年{'一二三四五六七八九'[random.randrange(9)]}月十五日",
            f"{year}年{month}月{day}日".translate(WIDE),
        ]
    )


def ip_address(random: Random) -> str:
    """An address of the blocks kept for documentation, or of a private network."""
    last = random.randint(1, 254)
    return random.choice(
        [
            *(
                f"192.0.2.{last}",
                f"198.51.100.{last}",
                f"203.0.113.{last}",
                f"10.{random.randint(0, 255)}.3.{last}",
                f"192.168.1.{last}",
            ),
            f"2001:db8::{last:x}",
            f"2001:0db8:85a3:0000:0000:8a2e:0370:{last:04x}",
            f"fe80::1ff:fe23:4567:{last:x}",
        ]
    )


def password(random: Random) -> str:
    """Letters, digits and signs, as rules for passwords demand."""
    return letters(random, 4, _LOWER) + random.choice("!#%+_") + digits(random, 3) + letters(random, 2, _UPPER)


def url_password(random: Random) -> str:
    """One without the signs that mean something in a URL."""
    return letters(random, 12)


def pin(random: Random) -> str:
    """Four digits."""
    return digits(random, 4)


def token(random: Random) -> str:
    """Random letters and digits."""
    return letters(random, 31) + random.choice(_DIGITS)


bearer = token


def aws_key(random: Random) -> str:
    """A key id in the shape of Amazon's."""
    return "AKIA" + letters(random, 16, _UPPER + "234567")


def github_token(random: Random) -> str:
    """A token in the shape of GitHub's."""
    return random.choice(["ghp_", "gho_", "ghs_"]) + letters(random, 36)


def openai_key(random: Random) -> str:
    """A key in the shape of OpenAI's."""
    return random.choice(["sk-", "sk-proj-"]) + letters(random, 40)


def private_key(random: Random) -> str:
    """A block in the shape of a PEM file."""
    what = random.choice(["RSA ", "EC ", "", "OPENSSH "]) + "PRIVATE KEY"
    lines = "\n".join(letters(random, 64, _BASE64 + "+/") for _ in range(random.randint(3, 25)))
    return f"-----BEGIN {what}-----\n{lines}\n-----END {what}-----"


Inventor = Callable[[Random], str]

# Slots of templates; those of one kind that are written differently share its name.
PERSONAL: dict[str, tuple[str, Inventor]] = {
    **{one.__name__: (one.__name__, one) for one in (email, phone, my_number, credit_card, bank_account, postal_code)},
    **{one.__name__: (one.__name__, one) for one in (driving_licence, passport, birth_date, ip_address)},
    **{one.__name__: ("bank_account", one) for one in (post_symbol, post_number)},
    **{
        name: ("health_insurance", one)
        for name, one in (("insurer", insurer), ("insured_symbol", insured_symbol), ("insured_number", insured_number))
    },
    **{
        name: ("credential", one)
        for name, one in (
            ("password", password),
            ("url_password", url_password),
            ("pin", pin),
            ("token", token),
            ("bearer", bearer),
        )
    },
    **{one.__name__: ("credential", one) for one in (aws_key, github_token, openai_key, private_key)},
}
