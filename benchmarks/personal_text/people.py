"""Names and addresses that nobody has: two sets, so that what was tuned on one is measured on the other."""

from __future__ import annotations

from random import Random


def _words(spaced: str) -> list[str]:
    return spaced.split()


SURNAMES = {
    "tuned": (
        *_words("佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 松本 井上"),
        *_words("木村 林 清水 斎藤 阿部 長谷川 大久保 五十嵐 千葉 宮崎"),
    ),
    "held_back": (
        *_words("山口 森 池田 橋本 石川 前田 藤田 後藤 岡田 近藤 村上 遠藤 青木 坂本 福田 太田"),
        *_words("西村 藤井 金子 三浦 中野 原田 久保田 秋田 福島 小笠原"),
    ),
}
GIVEN = {
    "tuned": (
        *_words("太郎 花子 健一 美咲 大輔 陽子 誠 直美 翔太 由美子 拓也 恵 和夫 明美 さくら"),
        *_words("ひろし 浩二 真由美"),
    ),
    "held_back": (
        *_words("一郎 裕子 隆 久美子 雄太 愛 博之 智子 正人 優子 かおり まこと 修 綾香 達也"),
        *_words("幸子 亮 千尋"),
    ),
}
KATAKANA = {
    "tuned": ["ジョン・スミス", "マリア", "デイビッド", "リー・ウェイ"],
    "held_back": ["マイケル・ブラウン", "アンナ", "ピーター", "グエン・ヴァン・アン"],
}
CITIES = {
    "tuned": (
        *_words("東京都港区 東京都世田谷区 神奈川県横浜市中区 大阪府大阪市北区 埼玉県さいたま市浦和区"),
        *_words("北海道札幌市中央区 愛知県名古屋市熱田区 横浜市港北区 福岡市博多区 京都府京都市左京区"),
        *_words("三重県津市 兵庫県神戸市灘区 茨城県つくば市"),
    ),
    "held_back": (
        *_words("東京都新宿区 東京都八王子市 神奈川県川崎市幸区 大阪府堺市堺区 千葉県船橋市"),
        *_words("宮城県仙台市青葉区 広島県広島市南区 静岡市駿河区 熊本市東区 奈良県奈良市"),
        *_words("長野県諏訪郡下諏訪町 福島県いわき市 新潟県長岡市"),
    ),
}
TOWNS = {
    "tuned": (
        *_words("芝公園 三軒茶屋 山下町 梅田 常盤 大通西 神宮 新横浜 住吉 本町 桜木町 南ヶ丘"),
        *_words("緑が丘"),
    ),
    "held_back": (
        *_words("西新宿 旭町 大宮町 戎島町 湊町 一番町 宇品海岸 曲金 健軍 登大路町 湖畔町 平"),
        *_words("城内町 ひばりが丘"),
    ),
}
_WIDE = str.maketrans("0123456789-", "０１２３４５６７８９－")
_KANJI = "一二三四五六七八九"


def name(random: Random, part: str) -> str:
    """A surname and a given name, with or without a space."""
    return random.choice(SURNAMES[part]) + random.choice(["", "", " ", "　"]) + random.choice(GIVEN[part])


def family_name(random: Random, part: str) -> str:
    """A surname."""
    return random.choice(SURNAMES[part])


def katakana_name(random: Random, part: str) -> str:
    """A name from abroad."""
    return random.choice(KATAKANA[part])


def address(random: Random, part: str) -> str:
    """From the prefecture or the city to the house number."""
    chome, block, house = random.randint(1, 9), random.randint(1, 40), random.randint(1, 30)
    number = random.choice(
        [
            *(
                f"{chome}-{block}-{house}",
                f"{chome}丁目{block}-{house}",
                f"{chome}丁目{block}番{house}号",
                f"{block}-{house}",
            ),
            *(f"{block * 37}番地", f"{block * 37}番地{house}", f"{_KANJI[chome - 1]}丁目{block}番{house}号"),
            f"{chome}-{block}-{house}".translate(_WIDE),
            f"{chome}丁目{block}番{house}号".translate(_WIDE),
        ]
    )
    return random.choice(CITIES[part]) + random.choice(TOWNS[part]) + number
