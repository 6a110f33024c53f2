"""What Meta tells about the account: its templates, its number, its token."""

import base64
import binascii

import phonenumbers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from whatsapp_monitoring_app.sandbox import catalogue, errors
from whatsapp_monitoring_app.sandbox.errors import invalid_parameter
from whatsapp_monitoring_app.sandbox.sandbox import Sandbox

PAGE_SIZE = 25
# Meta tells these of a template only when asked.
ON_DEMAND = "quality_score"
SCOPES = ["whatsapp_business_management", "whatsapp_business_messaging"]
APP_ID = "634974688087057"
USER_ID = "122102350190000000"


async def message_templates(request: Request) -> Response:
    """The templates, page by page.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-management
    """
    sandbox = _authorised(request)
    if request.path_params["waba_id"] != sandbox.config.waba_id:
        raise errors.unknown_object(request.path_params["waba_id"])
    rows = [catalogue.as_json(*item) for item in sandbox.catalogue.templates.items()]
    ids = [str(row["id"]) for row in rows]
    start = _start(request.query_params.get("after"), ids)
    end = start + _limit(request)
    answer: dict[str, object] = {"data": [_asked(request, row) for row in rows[start:end]]}
    if ids[start:end]:
        answer["paging"] = _paging(request, ids[start:end], has_next=end < len(ids))
    return JSONResponse(answer)


async def phone_number(request: Request) -> Response:
    """A business number, under whichever id messages are sent with.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/whatsapp-business-account-phone-number-api
    """
    sandbox = _authorised(request)
    phone_number_id = request.path_params["phone_number_id"]
    if not phone_number_id.isdecimal() or phone_number_id == sandbox.config.waba_id:
        raise errors.unknown_object(phone_number_id)
    number = phonenumbers.parse(f"+{sandbox.config.display_phone_number}")
    facts: dict[str, object] = {
        "verified_name": sandbox.config.verified_name,
        "display_phone_number": phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
        "quality_rating": "RED" if sandbox.is_flagged else "GREEN",
        "status": "FLAGGED" if sandbox.is_flagged else "CONNECTED",
        "messaging_limit_tier": sandbox.config.messaging_limit_tier,
        "platform_type": "CLOUD_API",
        "id": phone_number_id,
    }
    return JSONResponse(_asked(request, facts))


async def debug_token(request: Request) -> Response:
    """What a token is worth.

    https://developers.facebook.com/documentation/facebook-login/guides/access-tokens/debugging
    """
    sandbox = _authorised(request)
    token = request.query_params.get("input_token")
    if not token:
        raise invalid_parameter("The parameter input_token is required.")
    if not sandbox.knows(token):
        error = {"code": errors.TOKEN_INVALID.code, "message": errors.TOKEN_INVALID.title}
        return JSONResponse({"data": {"error": error, "is_valid": False, "scopes": []}})
    facts = {
        "app_id": APP_ID,
        "type": "SYSTEM_USER",
        "application": sandbox.config.verified_name,
        "data_access_expires_at": 0,
        "expires_at": 0,
        "is_valid": True,
        "scopes": SCOPES,
        "user_id": USER_ID,
    }
    return JSONResponse({"data": facts})


def _authorised(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    sandbox.check_token(request.headers.get("authorization", ""))
    return sandbox


def _asked(request: Request, facts: dict[str, object]) -> dict[str, object]:
    """The fields a request asks for, or the usual ones. The id always comes along."""
    fields = request.query_params.get("fields")
    if not fields:
        return {name: value for name, value in facts.items() if name != ON_DEMAND}
    asked = {"id", *fields.replace(" ", "").split(",")}
    return {name: value for name, value in facts.items() if name in asked}


def _limit(request: Request) -> int:
    limit = request.query_params.get("limit", str(PAGE_SIZE))
    if not limit.isdecimal() or int(limit) < 1:
        raise invalid_parameter("Param limit must be a positive integer.")
    return int(limit)


def _start(after: str | None, ids: list[str]) -> int:
    if not after:
        return 0
    try:
        return ids.index(base64.urlsafe_b64decode(after).decode()) + 1
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter("Param after is not a valid cursor.") from error


def _paging(request: Request, ids: list[str], *, has_next: bool) -> dict[str, object]:
    after = _cursor(ids[-1])
    paging: dict[str, object] = {"cursors": {"before": _cursor(ids[0]), "after": after}}
    if has_next:
        paging["next"] = str(request.url.include_query_params(after=after))
    return paging


def _cursor(template_id: str) -> str:
    return base64.urlsafe_b64encode(template_id.encode()).decode()
