"""The message templates that every installation begins with.

Administrators change them as they like: a text that is there is never written over. At the provider they have to be
made, and approved, under the same names; `docs/templates.md` shows how.
"""

from collections.abc import Iterator
from typing import Any

from whatsapp_monitoring_app.models import WhatsAppTemplate, languages

# To administrators, of what is wrong with the whole.
ALERT = "alerte"

DEFAULTS: tuple[dict[str, Any], ...] = (
    {
        "code": "avis",
        "label": "Avis",
        "message_type": WhatsAppTemplate.EVERY_TYPE,
        "variables": ["texte"],
        "samples": {"texte": "votre colis TS1A2B3C4D est parti de Guangzhou."},
        "text_fr": "TS Air Cargo vous informe : {texte} Pour toute question, répondez à ce message.",
        "text_en": "News from TS Air Cargo: {texte} If you have a question, answer this message.",
        "text_zh_hans": "TS Air Cargo 通知您：{texte} 如有疑问，请直接回复本消息。",
    },
    {
        "code": "compte_cree",
        "label": "Compte créé",
        "message_type": "account_creation",
        "variables": ["nom", "lien"],
        "samples": {"nom": "Aminata Coulibaly", "lien": "https://ts-air-cargo.example/first-password/…"},
        "text_fr": "Bonjour {nom}, votre compte TS Air Cargo est prêt. Choisissez votre mot de passe ici : {lien} "
        "Ce lien est valable 72 heures et ne sert qu’une fois.",
        "text_en": "Hello {nom}, your TS Air Cargo account is ready. Choose your password here: {lien} "
        "This link is valid for 72 hours and works once.",
        "text_zh_hans": "{nom}，您好！您的 TS Air Cargo 账户已开通。请在此设置密码：{lien} "
        "该链接 72 小时内有效，仅可使用一次。",
    },
    {
        "code": "colis_recu",
        "label": "Colis reçu en Chine",
        "message_type": "colis_creation",
        "variables": ["nom", "numero_suivi"],
        "samples": {"nom": "Aminata Coulibaly", "numero_suivi": "TS1A2B3C4D"},
        "text_fr": "Bonjour {nom}, nous avons reçu votre colis {numero_suivi} dans notre dépôt en Chine. "
        "Nous vous préviendrons à son départ.",
        "text_en": "Hello {nom}, we have received your parcel {numero_suivi} at our warehouse in China. "
        "We will tell you when it leaves.",
        "text_zh_hans": "{nom}，您好！您的包裹 {numero_suivi} 已到达我们在中国的仓库，发出时我们会再通知您。",
    },
    {
        "code": "colis_expedie",
        "label": "Colis expédié",
        "message_type": "expedition",
        "variables": ["nom", "numero_suivi"],
        "samples": {"nom": "Aminata Coulibaly", "numero_suivi": "TS1A2B3C4D"},
        "text_fr": "Bonjour {nom}, votre colis {numero_suivi} est parti de Chine. "
        "Nous vous préviendrons à son arrivée à Bamako.",
        "text_en": "Hello {nom}, your parcel {numero_suivi} has left China. "
        "We will tell you when it arrives in Bamako.",
        "text_zh_hans": "{nom}，您好！您的包裹 {numero_suivi} 已从中国发出，到达巴马科时我们会再通知您。",
    },
    {
        "code": "colis_arrive",
        "label": "Colis arrivé à Bamako",
        "message_type": "delivery",
        "variables": ["nom", "numero_suivi"],
        "samples": {"nom": "Aminata Coulibaly", "numero_suivi": "TS1A2B3C4D"},
        "text_fr": "Bonjour {nom}, votre colis {numero_suivi} est arrivé à Bamako. "
        "Vous pouvez venir le retirer à notre agence.",
        "text_en": "Hello {nom}, your parcel {numero_suivi} has arrived in Bamako. You can fetch it at our office.",
        "text_zh_hans": "{nom}，您好！您的包裹 {numero_suivi} 已到达巴马科，您可以到我们的网点领取。",
    },
    {
        "code": "envoi_parti",
        "label": "Départ de Chine",
        "message_type": "",
        "variables": ["nom", "colis"],
        "samples": {"nom": "Aminata Coulibaly", "colis": "2 colis (TS1A2B3C4D, TS5E6F7G8H)"},
        "text_fr": "Bonjour {nom}, départ de Chine pour Bamako : {colis}. Nous vous préviendrons à l’arrivée.",
        "text_en": "Hello {nom}, on the way from China to Bamako: {colis}. We will tell you on arrival.",
        "text_zh_hans": "{nom}，您好！{colis}已从中国发往巴马科，到达后我们会通知您。",
    },
    {
        "code": "envoi_retarde",
        "label": "Retard",
        "message_type": "",
        "variables": ["nom", "colis", "date"],
        "samples": {
            "nom": "Aminata Coulibaly",
            "colis": "2 colis (TS1A2B3C4D, TS5E6F7G8H)",
            "date": "3 décembre 2026",
        },
        "text_fr": "Bonjour {nom}, retard pour {colis} : arrivée à Bamako prévue le {date}. "
        "Nous vous prions de nous en excuser.",
        "text_en": "Hello {nom}, a delay for {colis}: now expected in Bamako on {date}. We are sorry.",
        "text_zh_hans": "{nom}，您好！{colis}有延误，预计 {date} 到达巴马科。非常抱歉。",
    },
    {
        "code": "envoi_arrive",
        "label": "Arrivée à Bamako",
        "message_type": "",
        "variables": ["nom", "colis"],
        "samples": {"nom": "Aminata Coulibaly", "colis": "2 colis (TS1A2B3C4D, TS5E6F7G8H)"},
        "text_fr": "Bonjour {nom}, arrivée à Bamako : {colis}. À retirer à notre agence.",
        "text_en": "Hello {nom}, arrived in Bamako: {colis}. Ready to be fetched at our office.",
        "text_zh_hans": "{nom}，您好！{colis}已到达巴马科，您可以到我们的网点领取。",
    },
    {
        "code": "envoi_arrive_en_partie",
        "label": "Arrivée à Bamako, en partie",
        "message_type": "",
        "variables": ["nom", "colis", "reste"],
        "samples": {"nom": "Aminata Coulibaly", "colis": "colis TS1A2B3C4D", "reste": "colis TS5E6F7G8H"},
        "text_fr": "Bonjour {nom}, arrivée à Bamako : {colis}, à retirer à notre agence. Encore en route : {reste}. "
        "Nous vous préviendrons.",
        "text_en": "Hello {nom}, arrived in Bamako: {colis}, to be fetched at our office. Still on the way: {reste}. "
        "We will tell you.",
        "text_zh_hans": "{nom}，您好！{colis}已到达巴马科，可到我们的网点领取。"
        "仍在途中：{reste}，到达后我们会通知您。",
    },
    {
        "code": "rappel_retrait",
        "label": "Rappel de retrait",
        "message_type": "",
        "variables": ["nom", "colis", "date"],
        "samples": {
            "nom": "Aminata Coulibaly",
            "colis": "2 colis (TS1A2B3C4D, TS5E6F7G8H)",
            "date": "17 novembre 2026",
        },
        "text_fr": "Bonjour {nom}, à retirer à notre agence de Bamako depuis le {date} : {colis}. "
        "Venez quand vous voulez aux heures d’ouverture.",
        "text_en": "Hello {nom}, waiting for you at our office in Bamako since {date}: {colis}. "
        "Come whenever you like during opening hours.",
        "text_zh_hans": "{nom}，您好！{colis}自 {date} 起存放在我们的巴马科网点，请在营业时间前来领取。",
    },
    {
        "code": "colis_remis",
        "label": "Colis remis",
        "message_type": "",
        "variables": ["nom", "colis", "destinataire"],
        "samples": {
            "nom": "Aminata Coulibaly",
            "colis": "2 colis (TS1A2B3C4D, TS5E6F7G8H)",
            "destinataire": "Moussa Coulibaly",
        },
        "text_fr": "Bonjour {nom}, remise à {destinataire} : {colis}. Si ce n’est pas normal, "
        "répondez tout de suite à ce message. Merci de votre confiance.",
        "text_en": "Hello {nom}, handed over to {destinataire}: {colis}. If that is not right, answer this message "
        "at once. Thank you for your trust.",
        "text_zh_hans": "{nom}，您好！{colis}已交给 {destinataire}。如有异议，请立即回复本消息。感谢您的信任。",
    },
    {
        "code": ALERT,
        "label": "Alerte",
        "message_type": "",
        "variables": ["texte", "lien"],
        "samples": {
            "texte": "L’expéditeur Mali est arrêté.",
            "lien": "https://ts-air-cargo.example/admin-mali/whatsapp/alerts/",
        },
        "text_fr": "Alerte du système TS Air Cargo : {texte} Détails : {lien} À traiter dès que possible.",
        "text_en": "Alert of the TS Air Cargo system: {texte} Details: {lien} Please look at it soon.",
        "text_zh_hans": "TS Air Cargo 系统警报：{texte} 详情：{lien} 请尽快处理。",
    },
)


def at_the_provider() -> Iterator[tuple[str, str, str]]:
    """What is to be made at the provider: name, language there, and the text with numbered variables."""
    for values in DEFAULTS:
        template = WhatsAppTemplate(**values)
        for language, whatsapp_language in languages.WHATSAPP_LANGUAGES.items():
            yield template.code, whatsapp_language, template.numbered(language)


def provision() -> None:
    """Create those that are missing; safe to repeat."""
    for values in DEFAULTS:
        others = {name: value for name, value in values.items() if name != "code"}
        if not WhatsAppTemplate.objects.filter(code=values["code"]).exists():
            taken = WhatsAppTemplate.objects.filter(message_type=others["message_type"]).exists()
            WhatsAppTemplate.objects.create(
                code=values["code"], **others | {"message_type": "" if taken else others["message_type"]}
            )
