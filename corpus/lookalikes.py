"""Short Chinese, Korean or Russian is valid EUC-JP too: which reading of the bytes has the more usual characters?

GB 2312 and KS X 1001 have their characters where EUC-JP has kanji, so without kana nothing but their frequency tells.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

_KANA = re.compile(r"[ぁ-んァ-ヶー]")
_CHARACTER = re.compile(r"[\u4e00-\u9fff\uac00-\ud7a3\ue000-\ufaff]")
_MARGIN_BITS = 6
"""Japanese is 64 times as likely before anything is read: of words of two kanji one in a hundred is doubted."""
_USUAL_BITS = 12
"""On average a kanji of Japanese names or addresses has 10 to 11.7; of Chinese or Korean read so 12.3 or more."""
_LOOKED_AT = 10_000
_RANKS = (10, 30, 100, 200, 400, 700, 1000, 1500)

# In KOI8-R the small letters of Russian stand from 0xC0, the capitals behind them.
_SMALL_LETTERS, _CAPITALS = 0xC0, 0xE0
_SMALL_SHARE = 0.75
_LEAST_KANJI = 4
"""One Japanese word of two kanji in fourteen has such bytes, of four one in two hundred."""


def reads_otherwise(content: bytes, text: str) -> bool:
    """Whether bytes that are `text` in EUC-JP are more likely Chinese, Korean or Russian; never where there are kana.

    >>> reads_otherwise("操作系统安装手册".encode("gb2312"), "荷恬狼由芦廾返過")
    True
    """
    if _KANA.search(text):
        return False
    kanji = _CHARACTER.findall(text)
    if len(kanji) >= _LEAST_KANJI and _is_russian(content):
        return True
    return len(kanji) > 1 and any(
        _JAPANESE.bits(kanji) > other.bits(read) + _MARGIN_BITS
        for other in (_CHINESE, _KOREAN)
        if len(read := other.characters_of(content)) == len(kanji)
    )


def has_usual_kanji(text: str) -> bool:
    """Whether the kanji of a longer text are those that Japanese uses, as in a list of names without kana.

    >>> has_usual_kanji("佐藤花子 東京都港区" * 3), has_usual_kanji("荷恬狼由芦廾返過" * 3)
    (True, False)
    """
    kanji = _CHARACTER.findall(text[:_LOOKED_AT])
    return bool(kanji) and _JAPANESE.bits(kanji) <= _USUAL_BITS * len(kanji)


def _is_russian(content: bytes) -> bool:
    high = [byte for byte in content if byte >= 0x80]
    small = sum(byte < _CAPITALS for byte in high)
    return min(high) >= _SMALL_LETTERS and small >= _SMALL_SHARE * len(high)


@dataclass(frozen=True)
class _Language:
    """How usual its characters are."""

    encoding: str
    usual: str
    """From the most frequent on."""
    bits_of_ranks: tuple[float, ...]
    """Minus the binary logarithm of the frequency, for the ranks up to each of _RANKS, and for all others."""

    @cached_property
    def _bits(self) -> dict[str, float]:
        return {one: self.bits_of_ranks[bisect_right(_RANKS, rank)] for rank, one in enumerate(self.usual)}

    def characters_of(self, content: bytes) -> list[str]:
        """Of the bytes in its encoding; none if they are not valid there."""
        try:
            return _CHARACTER.findall(content.decode(self.encoding))
        except UnicodeDecodeError:
            return []

    def bits(self, characters: Sequence[str]) -> float:
        """How unusual they are, all together."""
        return sum(self._bits.get(one, self.bits_of_ranks[-1]) for one in characters)


# Counted in the shared corpus: Japanese documentation and literature.
_JAPANESE = _Language(
    "euc_jp",
    "人一出見行定合用上時大来方分中日子場間思自数事生前何使二手下的文私者三入彼気本言十実目書作女変名家動"
    "年小同表力今立知以心要後云物指意関通明様持対理新学次示取成法無最度御内能部引郎字設全先現必例記所外値"
    "不当屋返話五少主月四地長体可利多国置有聞身代面更山向込切化語開情他形選世性正説金呼味会加相式色然考居"
    "顔付存白発音君田口参問道常平得在感別読高男初義信択画起近水八神処照追機声死供足風頭解夜点報重真親直葉"
    "空結単木列仕眼連帰特天含論保六番食際違等夫号悪太題七始構馬位細落着母美好送続調種父笑戸決第限元教受配"
    "集野換原想活業果安之楽達終古町注助歩図非由両流計像門川半民命提吉張科確応石氏百容東強線社愛検効過村左"
    "期適若残九除経共異制士与複光待訳接我余認準僕土如組進飛苦素早朝誰索右移衛伝譜良兵火海座江失回頃申類深"
    "渡車境状和告老囲突品各公再観造反政節花遠段判紙態押覚基殺暗草版病側雪標千質議証界件打青京根術戦娘割念"
    "識求型止支姿役象難松算師個断広独角端治完運赤格消述黒答似程影規恐寝電井降守又横静望寄急録刻階装歌西万"
    "敷去従酒勘資振般片芸範産属路並詳奥転乗友島覧係背許船台描了順環掛極客其済茶印末離雑婦探視貴絶故寺勢整"
    "料抜校工精首項比削売符任価放改武管修息折米戻住至室権既具簡交買句差店勝隠兄毎編予拡廻越警評依登扱満蔵"
    "章働円忘幾驚或絵量案夢致斎頼洋軍及沢庭投奴条王雨底昔此北舞鳥服縁景為衆負宿未給操善枝春派辺演走妻谷南"
    "約妙仏黙弟裏優久幸歳軽浮団熱写皆鳴曲徳破甲悲胸血耳晩布器談途固清諸腹逃商敵博史吾仰遊挙官興領罪市那統"
    "橋往互英困旅抱便験都候辞河純響尾著翻飲泣健収殿怪疑源概薄介究弱聴丞附銀吹寒替低於密建秋乱挿察普区縮争"
    "鹿留緒衣窓復奇宗筆霊帯納易労刀肉己習髪医払礼弁丁族痛暮将散織冷推願坐拠跡院積宮仮短州研喜城犬藤雲是丸"
    "育魔速里毛微歴銭迷備巻群湯腰堂試夕竹昨矢俺層敗専養房婆眺倒志寸鼻費毒伊庸籠快退抽略員腕館丈査床焼煙減"
    "闇羽鉄郷透増閉富釈域仲府功職骨技省貰圧森玉承波務額永板福令殊露輩林因農恋則玄冬律飯害叫枚狂頂補岸幅局"
    "駄借荒祖盛岩繰展避浅柄休眠欲崎隣訊否怖称周製俳逆束詩浪益夏肩護池傍岡鏡植姉儀佐箱児徒危踏騒訪逢筋較詰"
    "遣秘捨映坂灯触汝魚旦嫌却唯皮坊尊即猫甚阿築犯貧斐棒怒薬哲泥忍刑随舎園温聖杉婚幕津激厳陰率壁慮這香筈栄"
    "軒載席総充亡輪宅到燈勿系午傾帳皇包曜亭欠涙油穴柳威昼懐捕歯謂劇洗模講障垂停撃険畳晴遺刷継飾懸傷刺黄敬"
    "芝塗獄責浦吸勇屈杯脱監勤街樹伴憶殆暴誤妹荷惑財陽防雄浜國紀酔隔株星紅智俗僧迫尋趣牛測材遅奉策旧偵伸被"
    "誌宝就釣宇哀邪添沈覗隅滅批珍救恥祭導翌揃倉尽嫁埋膝延損忠姓暫凡括典虫稿拝盗堪慣宣泉抵弥序浴混頬染伏氷"
    "貨慢迎脚袋討預遂壊幽糸砂併袖麗阪須惜裁請泊練執臣級才鮮沼秀瞬墓豊而貸柔菊倍党乃粉烈廊斬禁剣隊呑魂棄鬼"
    "疲憎採弾絹欄宜灰隼帝看距辛勧叩燃尺陸藩仙漢悟詞届献射召華況噂庵侍革呉癖揚唇干濃央希駆握尻爺徴汽蔭偽熊"
    "免衝乏虚狭絡机汚挨拶嬉康戯縦鼓舌呂斯弧針闘創貝潜拭鉢愚抗鍵甘協仁廃喰嘘沙祈膳嬢吐骸偶訴枕遇巨紹秒封柱"
    "授署繁輝墨帽巧寂卓謝梅駕奨蒼稲震攻垣呪裸珠析寧駈臨崩週巡超拙揺緑脇拾捜邸暖乾桜畑誘県咲札履奏厚季臭兼"
    "軸乳踊襲厭椅匠豆施営械努愉隙猿湖郡壇童維庫蘭涯購羅靴僅壮鼠舟恵駒渋抑鋭奪占脈縛賀霧冠偉暇紫卒担彩掻悩"
    "幼熟馴淋招丹桁孫紋締球堀貫竜塩司唐滑棚瀬祝堅眉掘蒲稽駅凄悔肥審恰税姫礎噛曰嘆拒課塔貌匹塀賞伯斜潮綺誠"
    "卑援撫掴麦慶尤獣宏恩欧註汗穂陣砲賊拍躍憂惨炉笠溜叱幹窮也喧餅督叔唱李澄胆償据虎宛馳丘架綱茂賢炭葬匂麻"
    "勉災乞冊淡艶徹彫扉蓋枯侯慰脳企潔陥煮委兎酷只枠賛緊睨顧忙飼箇肌狐崖峰磨鈴呟瓦競漸双腐裂拘某邦沿頻旗粋",
    (7.0, 7.6, 8.4, 9.3, 10.3, 11.2, 12.1, 13.1, 16.7),
)
# Counted in Debian's Chinese FAQ and reference.
_CHINESE = _Language(
    "gb18030",
    "的件用文包在软一个可是使系统有以和行这本中程如来它你不为能于下安要通命令到置式数过参了作些序表上第工"
    "会面进版动户理装档配见时列所设目制字或新录分器内节发具提名被码多对定据并代果管更从选示们需方出应库自"
    "信全编里由环其后符同标语接存大地将息备加供关者例网务当建也境入载案您问运启常机源我级容变样够重盘化单"
    "成解格端该服现密查输相持任主最法性基开模支键间像请除前核换之量类认执含显脚手部特操号邮许正得言非图但"
    "意项写比硬他复实移络控按位改转都读因小何则子限已组择准而就处依访好二值保区么创取台没指引布功种情构看"
    "完护体形始说打译获权题导赖记然只试册升辑及等远默义且日外匹挂经替人调明候整生计必确把检况交页别称合修"
    "展口做块阅述向态那桌点简证带份考拟磁链注连元描互每界找此议空助储压结先段扩达很高活缩维括索想似错还架"
    "测虚立度流期无原什缺兼条删放让层终给旧路次仅员帮览电回型址映某印传即客与道须状陷细告跟止验集强稳免析"
    "志径较账起适另决浏直快搜初事础致站联两增恢话优送消树己步速误守属套尽望际算着光求释规钥头报哪菜踪根植"
    "允清风识技避享协坏心域排受普预利公去盖知少屏详声登几英失添共音串否覆术便各退推平首仓介习签章怎范词纯"
    "国翻防希独归历镜监缓切窗效损划循学至资阶力虑三断史留卸未荐老略殊驱险易再尝微才视额固典照闭真贝般质顺"
    "叫年专商足短混线局产针官幕虽拷仍隔绝补封欢十严底造框激随母耗策超击精顶杂私月长续巧静费假返近冲色插天"
    "家反滤禁西游遇丁总亮响跨概甚喜贴场答织味宽围身询物影阻停遵论突破智骤片差剪板掉尾鼠附景吗太书火业离颜"
    "丢降左干征轻慢途迷授著冻逻品隐政右车献订群欧绍零贡紧迁低擎难美旦约双永感沙盒洲思墙故教深寻省漏讨忽媒"
    "矢校绑率满团收广愿异南佳递减士频捷住欲临观余谁警急宏边讯死门粘友拥刷队脑往跳伪听栈乎救障靠越东困尔惯"
    "张担金乱玩泛露良纸射败暴援继洁趣弃滚忆棒扫延评繁净价暂卷极予充待割句尤捐赠灵摘责辅举副熟牙久又施觉截"
    "冗缀洞追笔卡厂克擦采四诊播韩鼓励狂杀危溃卫惑丰富署领圾父晰烈社渡拒闻象疑曾烦诉攻练垃锁涉判拉热隆塞瑞"
    "泄栅周末班画诸办念亚奇八麻绘迟究益德逐糊戳迎科估偏束扇演怪浪既措溢染刻糟糕花坛松讲沟倾投巨偶崩曲波透"
    "拨马滑帐触百派践漂绕眼陈悉猜早哈滞素努六司占赋忘销藏料渲衡函轮醒今拔兰钟承涵星帧敏付奔隧买世汇坚堆顾"
    "钱款善腾掌谨剩契唯斜厌却俄窄扬购碰弱掩爱侵均琐负魔白稀疏慎旨勿黑搞摁谓楚胡乐搭夹仪帖亦呢握遭溯仔箭聪",
    (5.8, 7.1, 8.1, 9.1, 10.3, 12.0, 14.2, 18.1),
)
# Counted in Debian's Korean FAQ and the Korean help of LibreOffice.
_KOREAN = _Language(
    "euc_kr",
    "다니이에을를하는서합의수로자지기시스있선가정용사한트할입습택면문은드표일으상터식리어나대데인도그고경"
    "개위여됩음모열우텍목화보동필제만구체력되려해라변오설값된아호파과내른클삽함적단성릭프형마조명록전페레"
    "키셀크치소들또장색부타행항션비쪽집러원요계포와환거유작결재번반름본현및테콘않블버두각연편분메주든역안"
    "바추간누양령확배미저차옵영게산참래세십범때글속매중당점새예슬창같없방업능복임것락튼숫베줄공야뉴준법쇄"
    "태디코실패관직따며통롤언더검링립림탭커날맞축왼활짜진째백격최운첫향율삭꼴램될접막템머끝찾까특끌브후별"
    "순놓르룹살생신효너발건눌엽숨무져회처채춤말금출초젠곡등란볼렬달류넣액절움불듭꾸토취납종앞외괄존릴릅렉",
    (5.4, 6.5, 7.9, 9.2, 10.8, 15.8),
)
