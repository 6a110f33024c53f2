"""The languages of our texts, and WhatsApp's words for them: the one table of both."""

# Source: developers.facebook.com/docs/whatsapp/business-management-api/message-templates/supported-languages
WHATSAPP_LANGUAGES = {"fr": "fr", "en": "en", "zh-hans": "zh_CN"}
# Who reads one of these reads ours as well; a region (fr_CA) is left out before this table is asked.
SAME_SCRIPT = {"zh": "zh-hans", "zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh-my": "zh-hans"}
# French is the company's own: every text exists in it.
DEFAULT = "fr"


def ours(language: str) -> str:
    """Our code for a language, however it is spelled (`fr_FR`, `zh_CN`, `EN`); for what we do not write, French."""
    spelled = language.strip().casefold().replace("_", "-")
    for code in (spelled, SAME_SCRIPT.get(spelled, ""), spelled.partition("-")[0], SAME_SCRIPT.get(spelled[:2], "")):
        if code in WHATSAPP_LANGUAGES:
            return code
    return DEFAULT


def preferred(language: str) -> list[str]:
    """The languages in which somebody of this one is written to, the best first: their own, then the company's."""
    return list(dict.fromkeys([ours(language), DEFAULT]))
