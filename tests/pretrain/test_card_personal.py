"""The card names every kind of personal data, whatever became of it."""

from __future__ import annotations

from typing import get_args

import pytest

from configs.schema.mask import Action, Mask
from pretrain.card_personal import personal_data


def test_kinds_stand_by_what_became_of_them() -> None:
    english, japanese = personal_data(Mask(email="drop", phone="pseudonymise", credential="leave"))
    assert english.startswith("masked: My Numbers, credit cards, ")
    assert "; replaced by pseudonyms: phone numbers; dropped with their documents: e-mail addresses; " in english
    assert english.endswith("; left as they were: names of persons, credentials and keys")
    assert japanese.endswith("、仮名（電話番号）、文書ごと除外（メールアドレス）、そのまま（氏名、認証情報）")


@pytest.mark.parametrize("action", get_args(Action))
def test_each_kind_may_have_each_action(action: Action) -> None:
    kinds = Mask().actions()
    for told in personal_data(Mask(**dict.fromkeys(kinds, action))):
        assert len(told.replace("（", "、").replace(": ", ", ").replace(", ", "、").split("、")) == len(kinds) + 1
