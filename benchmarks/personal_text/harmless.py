"""Invented numbers that look like personal data and are none: every value is a pure function of a seed."""

from __future__ import annotations

from random import Random

from benchmarks.personal_text.invent import Inventor, digits


def part(random: Random) -> str:
    """A part number."""
    return random.choice(["TP-200-0315-{}", "MC4-{}-02", "A{}-1234", "{}-K-77", "03{}-5678-9"]).format(
        digits(random, 4)
    )


def lot(random: Random) -> str:
    """A lot number."""
    return random.choice(["24{}-007", "L{}0001234", "No.{}-12"]).format(digits(random, 4))


def price(random: Random) -> str:
    """An amount."""
    return random.choice([f"{random.randint(1000, 99999999):,}", str(random.randint(1000000, 99999999))])


def date(random: Random) -> str:
    """A date that is nobody's birthday."""
    return random.choice(["2024年{}月3日", "2025-{:02d}-21", "令和6年{}月30日", "2023/{:02d}/09", "20240{}15"]).format(
        random.randint(1, 9)
    )


def isbn(random: Random) -> str:
    """A book's number, with or without its check digit."""
    return f"978-4-{digits(random, 2)}-{digits(random, 6)}-{digits(random, 1)}"


def version(random: Random) -> str:
    """A version of two to four numbers."""
    return ".".join(str(random.randint(0, 30)) for _ in range(random.randint(2, 4)))


def tracking(random: Random) -> str:
    """A parcel's twelve digits."""
    return random.choice(["{}-{}-{}", "{}{}{}"]).format(*(digits(random, 4) for _ in range(3)))


def order(random: Random) -> str:
    """An order's number."""
    return random.choice(["PO-{}-{}", "{}{}", "{}-{}"]).format(digits(random, 6), digits(random, 8))


def serial(random: Random) -> str:
    """A machine's number."""
    return random.choice([digits(random, 16), f"SN{digits(random, 10)}", f"0{digits(random, 9)}"])


def jan(random: Random) -> str:
    """A shop article's thirteen digits."""
    return f"4{random.choice('59')}{digits(random, 11)}"


def digits7(random: Random) -> str:
    """Seven digits."""
    return digits(random, 7)


HARMLESS: dict[str, Inventor] = {
    f"no_{one.__name__}": one for one in (part, lot, price, date, isbn, version, tracking, order, serial, jan, digits7)
}
