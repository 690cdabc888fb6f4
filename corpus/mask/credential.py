"""Passwords, keys and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.mask.kind import Kind

# Source: the issuers' documentation of their own prefixes, as of 2026.
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"  # Amazon Web Services
    r"|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{40,255}"  # GitHub
    r"|glpat-[A-Za-z0-9_-]{20,64}"  # GitLab
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,120}|xapp-[A-Za-z0-9-]{10,120}"  # Slack
    r"|AIza[0-9A-Za-z_-]{35}"  # Google
    r"|sk-[A-Za-z0-9_-]{20,200}|hf_[A-Za-z0-9]{30,64}"  # OpenAI and Anthropic, Hugging Face
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,128}"  # Stripe
    r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{40,255}"
    r")(?![A-Za-z0-9_-])"
)
# What is longer than a line: blocks of keys, JSON web tokens.
_LONG = re.compile(
    r"-----BEGIN (?P<what>[A-Z0-9 ]{0,24}PRIVATE KEY)-----[^-]{1,16000}(?:-----END (?P=what)-----)?"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096}"
)
_IN_URL = re.compile(r"://[^\s/:@<>]{1,64}:([^\s/:@<>]{1,128})@")
_WORD = (
    r"(?:パスワ[ー-]ド|暗証番号|パスフレ[ー-]ズ|合言葉|シ[ー-]クレット|トークン|APIキ[ー-]|アクセスキ[ー-]|秘密鍵"
    r"|(?<![A-Za-z:])(?:PW|[Pp]ass(?:word|wd|phrase|code)?|PASSWORD|PASSWD|pwd|PWD|[Ss]ecret|SECRET|[Tt]oken|TOKEN"
    r"|(?:[A-Za-z0-9]{1,20}[_-]){0,4}(?:[Aa][Pp][Ii][_-]?[Kk][Ee][Yy]|[Aa]ccess[_-]?[Kk]ey|ACCESS_KEY|[Ss]ecret[_-]?[Kk]ey|SECRET_KEY"
    r"|[Tt]oken|TOKEN|[Ss]ecret|SECRET|[Pp]assword|PASSWORD|PASSWD|PASS|PW)))"
)
# A value is what no prose is: signs and letters without a space, four at least, and more than lower-case words.
_VALUE = r"(?P<value>(?=[!-~]{0,40}?[0-9!#$%&*+^~?A-Z])[!#-&*+\-.0-9?-Z^_a-z~][!-&(-;=?-~]{3,127}?)"
_END = r"(?=[\"'」』`)]|[ \t]|\n|$|[^!-~]|[,;.](?:\s|$))"
_SAID = re.compile(rf"{_WORD}(?:\(.{{1,10}}?\))?[\"']?[ \t]*(?:は|=>?|:|が|に)[ \t]*[\"'「『`(]?{_VALUE}{_END}")
_HEADER = re.compile(r"(?:Bearer|Basic) ([A-Za-z0-9._~+/-]{16,512}={0,2})(?![A-Za-z0-9])")


def find_credentials(text: str) -> Iterator[tuple[int, int]]:
    """Where secrets stand that a word announces or that have a known shape.

    >>> list(find_credentials("初期パスワードは「Kasa-mori9」です。"))
    [(9, 19)]
    """
    yield from (match.span() for match in _SHAPES.finditer(text))
    yield from (match.span(1) for match in _HEADER.finditer(text))
    yield from (match.span("value") for match in _SAID.finditer(text) if _is_secret(match["value"]))


def find_url_credentials(text: str) -> Iterator[tuple[int, int]]:
    """Where passwords stand in URLs.

    >>> list(find_url_credentials("https://user:mi1tsu@example.com/"))
    [(13, 19)]
    """
    return (match.span(1) for match in _IN_URL.finditer(text))


def find_long_credentials(text: str) -> Iterator[tuple[int, int]]:
    """Where private keys and web tokens stand."""
    return (match.span() for match in _LONG.finditer(text))


def _is_secret(value: str) -> bool:
    # Code and manuals speak of secrets by names, calls, and stand-ins: os.environ["X"], $TOKEN, ${x}, <your key>, ****.
    return not re.match(
        r"[$<{%(\[*]|.*[(\[{]|[A-Za-z_]+(?:\.[A-Za-z_]+)+$|(.)\1*$|https?:|[A-Z_]+$|[A-Z]?[a-z]+$|[0-9]{1,3}$", value
    )


CREDENTIAL = Kind(
    "credential",
    find_credentials,
    words=(
        *(
            "パスワード",
            "ﾊﾟｽﾜｰﾄﾞ",
            "暗証番号",
            "パスフレーズ",
            "合言葉",
            "シークレット",
            "トークン",
            "キーは",
            "キー:",
            "キー：",
            "秘密鍵",
        ),
        *(
            "PW:",
            "PW：",
            "PW=",
            "PWは",
            "pass:",
            "pass=",
            "pass：",
            "password",
            "passwd",
            "passphrase",
            "passcode",
            "pwd",
            "secret",
            "token",
        ),
        *("api_key", "apikey", "api-key", "access_key", "access-key", "accesskey", "bearer", "authorization"),
        *("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "xapp-", "AIza"),
        *("sk-", "hf_", "k_live_", "k_test_", "npm_", "pypi-"),
    ),
)
URL_CREDENTIAL = Kind("credential", find_url_credentials, words=("@",))
LONG_CREDENTIAL = Kind("credential", find_long_credentials, words=("-----BEGIN ", "eyJ"), after=16_384)
