"""Meta's error codes, and what they mean to us."""

from collections.abc import Mapping
from typing import Any

from whatsapp_monitoring_app.models import ErrorClass
from whatsapp_monitoring_app.providers.base import HttpAnswer, ProviderError, class_of_http_status, text_of

PERMISSIONS = range(200, 300)
PERMISSIONS_ENTRY = "200-299"
CODES_BY_CLASS: dict[ErrorClass, tuple[int, ...]] = {
    ErrorClass.TRANSIENT: (2, 131016, 131057, 133004),
    ErrorClass.TRANSIENT_CAPPED: (1, 131000, 131053),
    ErrorClass.THROTTLE_SENDER: (4, 613, 80007, 80008, 130429),
    ErrorClass.THROTTLE_PAIR: (131056,),
    # 131030: a test number may write to the numbers on its list only. 130472, 130497: not to this person, or country.
    ErrorClass.RECIPIENT_PERMANENT: (130403, 130472, 130497, 131021, 131026, 131030, 131062),
    ErrorClass.RECIPIENT_TEMPORARY: (131036, 131049, 137000),
    ErrorClass.OPT_OUT: (131050,),
    ErrorClass.WINDOW_CLOSED: (131047,),
    ErrorClass.MESSAGE_PERMANENT: (
        100, 131008, 131009, 131014, 131043, 131051, 131055, 132000, 132005, 132008, 132012, 132018, 135000,
    ),
    ErrorClass.TEMPLATE_STOP: (131063, 132001, 132007, 132015, 132016, 132068, 132069),
    ErrorClass.ACCOUNT_STOP: (
        0, 3, 10, 33, 104, 190, *PERMISSIONS, 368, 131005, 131031, 131037, 131042, 131044, 131045, 133010, 134011,
    ),
    ErrorClass.ACCOUNT_SLOW: (131048, 131064),
}  # fmt: skip
CLASS_BY_CODE = {str(code): error_class for error_class, codes in CODES_BY_CLASS.items() for code in codes}
UNKNOWN_OBJECT_SUBCODE = "33"  # with code 100: the phone number id is not ours, or was deleted


def read(error: Mapping[str, Any], answer: HttpAnswer | None = None) -> ProviderError:
    """Meta's error, of an answer or of a webhook, in our words."""
    code = text_of(error.get("code"))
    return ProviderError(
        error_class=_class_of(code, error, answer),
        code=code[:40],
        message=_message(error),
        retry_after=answer.retry_after if answer else None,
        is_classified=code in CLASS_BY_CODE,
    )


def _class_of(code: str, error: Mapping[str, Any], answer: HttpAnswer | None) -> ErrorClass:
    if code == "100" and text_of(error.get("error_subcode")) == UNKNOWN_OBJECT_SUBCODE:
        return ErrorClass.ACCOUNT_STOP
    if code in CLASS_BY_CODE:
        return CLASS_BY_CODE[code]
    if error.get("is_transient") is True:
        return ErrorClass.TRANSIENT_CAPPED
    return class_of_http_status(answer.status) if answer else ErrorClass.UNKNOWN


def _message(error: Mapping[str, Any]) -> str:
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else data
    parts = [text_of(error.get("message")) or text_of(error.get("title")), text_of(details)]
    return " – ".join(dict.fromkeys(part for part in parts if part))[:2000]
