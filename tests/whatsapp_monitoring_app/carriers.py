"""Both transports behind one function each, so that what one promises is proven on the other too."""

import queue
from collections.abc import Callable

from whatsapp_monitoring_app.providers import transport
from whatsapp_monitoring_app.providers.base import HttpAnswer, HttpRequest
from whatsapp_monitoring_app.providers.exchange import Carried, Exchange, exchange

Carry = Callable[[HttpRequest], HttpAnswer]


def send_by_exchange(request: HttpRequest, by: Exchange | None = None) -> HttpAnswer:
    """Carry one request by what carries many. Raises what `transport.send` would."""
    into: queue.SimpleQueue[Carried] = queue.SimpleQueue()
    (by or exchange()).start("only", request, into)
    answer = into.get(timeout=30).answer
    if isinstance(answer, HttpAnswer):
        return answer
    raise answer


CARRIERS: dict[str, Carry] = {"one": transport.send, "many": send_by_exchange}
