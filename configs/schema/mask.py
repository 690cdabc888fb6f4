"""The `corpus.mask` section: what becomes of personal data."""

from __future__ import annotations

from typing import Literal

from configs.schema.section import Section, operational, rule

Action = Literal["mask", "pseudonymise", "drop", "leave"]


class Mask(Section):
    """Personal data, before anything is written: mask puts a placeholder such as <phone> in its place, pseudonymise
    one that is the same wherever the same value stands, drop masks it and drops the document, leave leaves it."""

    email: Action = "mask"
    """E-mail addresses."""
    phone: Action = "mask"
    """Phone numbers, Japanese and international forms."""
    my_number: Action = "mask"
    """My Number: twelve digits whose check digit is right."""
    credit_card: Action = "mask"
    """Card numbers of the known issuers whose check digit is right."""
    bank_account: Action = "mask"
    """Account numbers that a word announces."""
    postal_code: Action = "mask"
    """Postal codes that a mark, a word or an address announces."""
    address: Action = "mask"
    """Japanese addresses down to the house number; places without one stay."""
    name: Action = "leave"
    """Names of people, by morphology and the words around them; slow, and authors and historical figures go too."""
    driving_licence: Action = "mask"
    """Numbers of driver's licences that a word announces."""
    passport: Action = "mask"
    """Passport numbers that a word announces."""
    health_insurance: Action = "mask"
    """Numbers of insurers, whose check digit is right, and of the insured, that a word announces."""
    birth_date: Action = "mask"
    """Full dates that are said to be somebody's birth."""
    ip_address: Action = "mask"
    """IP addresses, version 4 and 6; loopback, netmasks and multicast stay."""
    credential: Action = "mask"
    """Passwords that a word announces, keys of known shapes, private key blocks, tokens."""
    key_file: str | None = operational(None, min_length=1)
    """File with the key of pseudonyms, outside the run directory; none takes it from the environment."""
    key_env: str = operational("TSUGIKI_PSEUDONYM_KEY", min_length=1)
    """Environment variable that holds the key where no file does."""

    @rule("key_file")
    def a_key_for_something(self) -> str | None:
        if self.key_file is not None and "pseudonymise" not in self.actions().values():
            return "no kind of personal data is pseudonymised; set one to pseudonymise or leave the key out"
        return None

    def actions(self) -> dict[str, Action]:
        """What becomes of each kind, by its name."""
        return {name: getattr(self, name) for name in type(self).model_fields if not name.startswith("key_")}
