"""What clients should read at each step, written down a second time, in the three languages."""

from collections.abc import Sequence

# The personal link in a message is another one each time.
LINK = "https://…"

SAYINGS: dict[str, dict[str, str]] = {
    "account": {
        "fr": "Bonjour {name}, votre compte TS Air Cargo est prêt. Choisissez votre mot de passe ici : {link} "
        "Ce lien est valable 72 heures et ne sert qu’une fois.",
        "en": "Hello {name}, your TS Air Cargo account is ready. Choose your password here: {link} "
        "This link is valid for 72 hours and works once.",
        "zh-hans": "{name}，您好！您的 TS Air Cargo 账户已开通。请在此设置密码：{link} "
        "该链接 72 小时内有效，仅可使用一次。",
    },
    "stopped": {
        "fr": "Vous ne recevrez plus de nouvelles de vos colis sur WhatsApp. "
        "Écrivez REPRENDRE pour les recevoir à nouveau.",
        "en": "You will get no more news of your parcels on WhatsApp. Write REPRENDRE to have them again.",
        "zh-hans": "您将不再通过 WhatsApp 收到包裹消息。回复“恢复”可重新接收。",
    },
    "registered": {
        "fr": "Bonjour {name}, nous avons reçu votre {parcels} dans notre dépôt en Chine. "
        "Nous vous préviendrons à son départ.",
        "en": "Hello {name}, we have received your {parcels} at our warehouse in China. "
        "We will tell you when it leaves.",
        "zh-hans": "{name}，您好！您的{parcels} 已到达我们在中国的仓库，发出时我们会再通知您。",
    },
    "shipped": {
        "fr": "Bonjour {name}, départ de Chine pour Bamako : {parcels}. Nous vous préviendrons à l’arrivée.",
        "en": "Hello {name}, on the way from China to Bamako: {parcels}. We will tell you on arrival.",
        "zh-hans": "{name}，您好！{parcels}已从中国发往巴马科，到达后我们会通知您。",
    },
    "delayed": {
        "fr": "Bonjour {name}, retard pour {parcels} : arrivée à Bamako prévue le 14 juillet {year}. "
        "Nous vous prions de nous en excuser.",
        "en": "Hello {name}, a delay for {parcels}: now expected in Bamako on July 14, {year}. We are sorry.",
        "zh-hans": "{name}，您好！{parcels}有延误，预计 {year}年7月14日 到达巴马科。非常抱歉。",
    },
    "arrived": {
        "fr": "Bonjour {name}, arrivée à Bamako : {parcels}. À retirer à notre agence.",
        "en": "Hello {name}, arrived in Bamako: {parcels}. Ready to be fetched at our office.",
        "zh-hans": "{name}，您好！{parcels}已到达巴马科，您可以到我们的网点领取。",
    },
    "arrived in part": {
        "fr": "Bonjour {name}, arrivée à Bamako : {parcels}, à retirer à notre agence. Encore en route : {rest}. "
        "Nous vous préviendrons.",
        "en": "Hello {name}, arrived in Bamako: {parcels}, to be fetched at our office. Still on the way: {rest}. "
        "We will tell you.",
        "zh-hans": "{name}，您好！{parcels}已到达巴马科，可到我们的网点领取。仍在途中：{rest}，到达后我们会通知您。",
    },
    "reminded": {
        "fr": "Bonjour {name}, à retirer à notre agence de Bamako depuis le 14 juillet {year} : {parcels}. "
        "Venez quand vous voulez aux heures d’ouverture.",
        "en": "Hello {name}, waiting for you at our office in Bamako since July 14, {year}: {parcels}. "
        "Come whenever you like during opening hours.",
        "zh-hans": "{name}，您好！{parcels}自 {year}年7月14日 起存放在我们的巴马科网点，请在营业时间前来领取。",
    },
    "handed over": {
        "fr": "Bonjour {name}, remise à {to} : {parcels}. Si ce n’est pas normal, "
        "répondez tout de suite à ce message. Merci de votre confiance.",
        "en": "Hello {name}, handed over to {to}: {parcels}. If that is not right, answer this message "
        "at once. Thank you for your trust.",
        "zh-hans": "{name}，您好！{parcels}已交给 {to}。如有异议，请立即回复本消息。感谢您的信任。",
    },
}
ONE = {"fr": "colis {}", "en": "parcel {}", "zh-hans": "包裹 {}"}
SEVERAL = {"fr": "{} colis ({})", "en": "{} parcels ({})", "zh-hans": "{} 个包裹（{}）"}


def in_words(language: str, numbers: Sequence[str]) -> str:
    """These tracking numbers as a message names them."""
    if len(numbers) == 1:
        return ONE[language].format(numbers[0])
    return SEVERAL[language].format(len(numbers), ", ".join(numbers))
