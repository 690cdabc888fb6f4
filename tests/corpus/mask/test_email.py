"""E-mail addresses: all notations people use, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.mask.masking import masked_alone


@pytest.mark.parametrize(
    "address",
    [
        *("a@example.com", "tanaka.h@example.co.jp", "t_h-1+news%x@mail.example.org", "A@EXAMPLE.COM"),
        *("info@a.b.c.d.e.f.g.example.com", "x@x--y.example", "9@9.example", "tanaka＠example.jp", "a@1.example"),
        *("a" * 64 + "@example.com", "a@" + "d" * 63 + ".com", "a@example.photography"),
    ],
)
@pytest.mark.parametrize(
    ("before", "after"),
    [("", ""), ("連絡先は", "まで。"), ("<", ">"), ("mailto:", ""), ("（", "）"), ("Tanaka ", ", "), ("「", ". ")],
)
def test_an_address_is_masked_wherever_it_stands(address: str, before: str, after: str) -> None:
    assert masked_alone("email", f"{before}{address}{after}") == (f"{before}<email>{after}", 1)


@pytest.mark.parametrize(
    "text",
    [
        *("a@b", "@example.com", "a@@example.com", "a@.com", "a @ example.com", "12@34.56", "a@example.c"),
        *("a@-example.com", "a@example-.com", "a@10.0.0.1", "単価@500円", "5個@3.5kg", "a@例え.jp", "f@x.1a"),
        *(
            "a" * 65 + "@example.com",
            "a@" + "d" * 64 + ".com",
            "a@example.com1",
            "a@example." + "m" * 25,
            "",
            "点検",
            "@",
            "＠",
        ),
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert masked_alone("email", text) == (text, 0)


def test_every_address_of_a_text_is_counted() -> None:
    text = "a@example.com、b@example.com;c@example.com\nd@example.com e@example"
    masked = "<email>、<email>;<email>\n<email> e@example"
    assert masked_alone("email", text) == (masked, 4)


@given(st.text("a1.-_@＠あ <>", max_size=40))
def test_masking_twice_is_masking_once_and_the_count_is_that_of_the_placeholders(text: str) -> None:
    masked, found = masked_alone("email", text)
    assert masked_alone("email", masked) == (masked, 0)
    assert masked.count("<email>") == found + text.count("<email>")
