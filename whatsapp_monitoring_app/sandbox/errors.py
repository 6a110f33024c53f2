"""Meta's errors, worded as Meta words them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CloudError:
    """One way of saying no. Without a code the answer has an empty body, as when Meta's gateway fails."""

    code: int | None
    title: str
    details: str | None = None
    http_status: int = 400
    subcode: int | None = None
    retry_after: int | None = None


class Refused(Exception):
    """The request was not accepted."""

    def __init__(self, error: CloudError) -> None:
        super().__init__(error.title)
        self.error = error


def invalid_parameter(details: str) -> Refused:
    return Refused(CloudError(100, "Invalid parameter", details))


def unknown_object(object_id: str) -> Refused:
    title = (
        f"Unsupported get request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation."
    )
    return Refused(CloudError(100, title, subcode=33))


def template_not_found(name: str, language: str) -> CloudError:
    details = f"template name ({name}) does not exist in {language}"
    return CloudError(132001, "Template name does not exist in the translation", details, http_status=404)


def wrong_parameter_count(component: str, given: int, expected: int) -> CloudError:
    title = "Number of parameters does not match the expected number of params"
    mismatch = f"number of localizable_params ({given}) does not match the expected number of params ({expected})"
    return CloudError(132000, title, f"{component}: {mismatch}")


def wrong_template_format(details: str) -> CloudError:
    return CloudError(132012, "Parameter format does not match format in the created template", details)


NOT_ON_WHATSAPP = CloudError(
    131026,
    "Message undeliverable",
    "Message Undeliverable. The recipient phone number is not a WhatsApp phone number.",
)
WINDOW_CLOSED = CloudError(
    131047,
    "Re-engagement message",
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
)
RATE_LIMITED = CloudError(130429, "Rate limit hit", "Cloud API message throughput has been reached.", subcode=2494055)
PAIR_RATE_LIMITED = CloudError(
    131056,
    "(Business Account, Consumer Account) pair rate limit hit",
    "Message failed to send because there were too many messages sent from this phone number to the same phone number "
    "in a short period of time.",
)
TOKEN_EXPIRED = CloudError(
    190,
    "Error validating access token: Session has expired on Saturday, 29-Jun-24 09:00:00 PDT.",
    http_status=401,
    subcode=463,
)
TOKEN_MISSING = CloudError(190, "An access token is required to request this resource.", http_status=401)
TOKEN_INVALID = CloudError(190, "Invalid OAuth access token - Cannot parse access token", http_status=401)
UNSUPPORTED_TYPE = CloudError(131051, "Unsupported message type", "Message type is not supported.")
BUTTON_PARAMETER_MISSING = CloudError(
    131008, "Required parameter is missing", "buttons: Button at index 0 of type Url requires a parameter"
)
TEMPLATE_PAUSED = CloudError(
    132015,
    "Template is Paused",
    "Template is paused due to low quality so it cannot be sent in a template message.",
)
TEMPLATE_DISABLED = CloudError(
    132016,
    "Template is Disabled",
    "Template has been paused too many times due to low quality and is now permanently disabled.",
)
SERVER_FAILURE = CloudError(None, "Internal failure, empty body", http_status=500)
TOO_MANY_REQUESTS = CloudError(None, "Too many requests, empty body", http_status=429, retry_after=1)
