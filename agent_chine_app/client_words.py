"""The words that people write into lists of clients, in French, English and Chinese: columns, languages, countries."""

import re
import unicodedata

import phonenumbers

from agent_chine_app.models import Client

HEADINGS = {
    "telephone": "telephone|telephonenumber|phone|phonenumber|mobile|mobilenumber|mobilephone|tel|cell|cellphone|gsm|"
    "portable|numero|numerodetelephone|ndetelephone|whatsapp|numerowhatsapp|whatsappnumber|"
    "电话|电话号码|联系电话|手机|手机号|手机号码",
    "first_name": "firstname|givenname|forename|prenom|prenoms|名",
    "last_name": "lastname|surname|familyname|nom|noms|nomdefamille|姓|姓氏",
    "name": "name|fullname|client|clientname|customer|customername|nomcomplet|nomduclient|prenomnom|prenometnom|"
    "prenomsetnom|姓名|名字|客户|客户姓名|客户名称",
    "surname_first": "nomprenom|nometprenom|nomprenoms|nometprenoms|nomsetprenoms|lastnameandfirstname|"
    "lastnamefirstname|姓和名",
    "email": "email|emailaddress|mail|courriel|adresseemail|adressemail|邮箱|电子邮箱|电子邮件|邮件",
    "language": "language|lang|langue|languageofthemessages|languedesmessages|语言|消息语言",
    "country": "country|countrycode|pays|codepays|国家|国别",
}
LANGUAGES = {
    "fr": "fr|fra|fre|francais|french|法语|法文",
    "en": "en|eng|anglais|english|英语|英文",
    "zh-hans": "zh|zhhans|zhcn|cn|chi|zho|chinois|chinese|mandarin|中文|汉语|简体中文|普通话",
}
COUNTRIES = {
    "ML": "mali|马里",
    "CI": "cotedivoire|ivorycoast|rci|科特迪瓦",
    "SN": "senegal|塞内加尔",
    "BF": "burkinafaso|burkina|布基纳法索",
    "GN": "guinee|guinea|guineeconakry|几内亚",
    "NE": "niger|尼日尔",
    "MR": "mauritanie|mauritania|毛里塔尼亚",
    "CN": "chine|china|中国",
    "FR": "france|法国",
    "TG": "togo|多哥",
    "BJ": "benin|贝宁",
    "GH": "ghana|加纳",
    "NG": "nigeria|尼日利亚",
    "CM": "cameroun|cameroon|喀麦隆",
    "GA": "gabon|加蓬",
    "CG": "congo|congobrazzaville|刚果",
    "CD": "rdc|rdcongo|drc|drcongo|congokinshasa|刚果金",
    "MA": "maroc|morocco|摩洛哥",
    "US": "usa|etatsunis|unitedstates|美国",
    "AE": "eau|uae|dubai|emiratsarabesunis|unitedarabemirates|阿联酋",
    "TR": "turquie|turkey|turkiye|土耳其",
    "ES": "espagne|spain|西班牙",
    "IT": "italie|italy|意大利",
}


def _by_word(words: dict[str, str]) -> dict[str, str]:
    return {word: meaning for meaning, line in words.items() for word in line.split("|")}


_COLUMN_OF, _LANGUAGE_OF, _COUNTRY_OF = (_by_word(words) for words in (HEADINGS, LANGUAGES, COUNTRIES))
_NOT_IN_WORDS = re.compile(r"[\W_]+")


def plain(text: str) -> str:
    """The text as words are compared: small letters and digits, without accents, spaces and signs."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return _NOT_IN_WORDS.sub("", "".join(letter for letter in apart if not unicodedata.combining(letter)))


def column(heading: str) -> str | None:
    """The column that this heading names; None for one that we do not read."""
    return _COLUMN_OF.get(plain(heading))


def language(text: str) -> str | None:
    """The code of this language of the messages; None for a word that names none."""
    return _LANGUAGE_OF.get(plain(text))


def country(text: str) -> str | None:
    """The country's ISO 3166 code, from a word or the code itself; None for what names no country."""
    word = plain(text)
    code = word.upper()
    return _COUNTRY_OF.get(word) or (code if code in phonenumbers.SUPPORTED_REGIONS else None)


def country_of_client(code: str) -> str:
    """The country as clients have it: one that is not in their list is another one."""
    return code if code in Client.Country.values else Client.Country.ELSEWHERE
