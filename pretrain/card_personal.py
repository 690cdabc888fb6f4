"""What the model card says of personal data: which kinds were masked, and what became of the others."""

from __future__ import annotations

from configs.schema.mask import Mask

_ACTIONS = {
    "mask": ("masked", "伏せ字"),
    "pseudonymise": ("replaced by pseudonyms", "仮名"),
    "drop": ("dropped with their documents", "文書ごと除外"),
    "leave": ("left as they were", "そのまま"),
}
_KINDS = {
    "email": ("e-mail addresses", "メールアドレス"),
    "phone": ("phone numbers", "電話番号"),
    "my_number": ("My Numbers", "マイナンバー"),
    "credit_card": ("credit cards", "クレジットカード番号"),
    "bank_account": ("bank accounts", "口座番号"),
    "postal_code": ("postal codes", "郵便番号"),
    "address": ("addresses", "住所"),
    "name": ("names of persons", "氏名"),
    "driving_licence": ("driving licences", "運転免許証番号"),
    "passport": ("passports", "旅券番号"),
    "health_insurance": ("health insurance numbers", "健康保険の番号"),
    "birth_date": ("dates of birth", "生年月日"),
    "ip_address": ("IP addresses", "IP アドレス"),
    "credential": ("credentials and keys", "認証情報"),
}


def personal_data(settings: Mask) -> tuple[str, str]:
    """A list of what became of which kinds, in English and in Japanese."""
    kinds_of: dict[str, list[str]] = {}
    for kind, action in settings.actions().items():
        kinds_of.setdefault(action, []).append(kind)
    ordered = [(action, kinds_of[action]) for action in _ACTIONS if action in kinds_of]
    english = "; ".join(
        f"{_ACTIONS[action][0]}: {', '.join(_KINDS[one][0] for one in kinds)}" for action, kinds in ordered
    )
    japanese = "、".join(
        f"{_ACTIONS[action][1]}（{'、'.join(_KINDS[one][1] for one in kinds)}）" for action, kinds in ordered
    )
    return english, japanese
