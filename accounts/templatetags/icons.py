"""Icons: one drawing for each name.

A tag and not a template with a long “if”: a list of messages draws sixty of them.
"""

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

FRAME = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">{}</svg>'
# Some names share a drawing; the names of statuses are names of icons.
DRAWINGS = {
    "pending": '<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>',
    "sending": '<path d="M21 3 10 14M21 3l-7 18-4-7-7-4z"/>',
    "unconfirmed": (
        '<circle cx="12" cy="12" r="9"/><path d="M9.2 9.2a2.9 2.9 0 1 1 4 2.7c-.8.4-1.2.9-1.2 1.8M12 17v.01"/>'
    ),
    ("retry_scheduled", "retry"): '<path d="M20 12a8 8 0 1 1-2.6-5.9M20 3v5h-5"/>',
    ("sent", "works", "ready"): '<path d="m5 13 4 4L19 7"/>',
    ("delivered", "read"): '<path d="m2 13 4 4L16 7M11.5 16.5l.5.5L22 7"/>',
    ("failed", "stopped", "restricted", "disconnected", "incomplete"): '<path d="M12 3 2 20h20zM12 10v4M12 17v.01"/>',
    ("cancelled", "mute"): '<circle cx="12" cy="12" r="9"/><path d="m6 18 12-12"/>',
    "home": '<path d="m3 11 9-8 9 8M5 10v10h5v-6h4v6h5V10"/>',
    "people": (
        '<circle cx="9" cy="8" r="4"/><path d="M2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 8M18 15c3 .6 4 2.6 4 6"/>'
    ),
    "user": '<circle cx="12" cy="8" r="4"/><path d="M4 21c0-4 3.5-6 8-6s8 2 8 6"/>',
    "box": '<path d="m12 2 9 5v10l-9 5-9-5V7zM3 7l9 5 9-5M12 12v10"/>',
    "chart": '<path d="M4 20V10M10 20V4M16 20v-7M21 20H3"/>',
    "chat": '<path d="M21 12a8 8 0 0 1-8 8H3l2-3.5A8 8 0 1 1 21 12z"/>',
    "plus": '<path d="M12 5v14M5 12h14"/>',
    "search": '<circle cx="11" cy="11" r="7"/><path d="m21 21-5-5"/>',
    "back": '<path d="m15 5-7 7 7 7"/>',
    "next": '<path d="m9 5 7 7-7 7"/>',
    "close": '<path d="m6 6 12 12M18 6 6 18"/>',
    "phone": (
        '<path d="M5 3h4l2 5-2.5 1.5a11 11 0 0 0 6 6L16 13l5 2v4a2 2 0 0 1-2 2A16 16 0 0 1 3 5a2 2 0 0 1 2-2z"/>'
    ),
    "gear": '<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>',
    ("pause", "paused"): '<path d="M8 5v14M16 5v14"/>',
    "play": '<path d="m7 4 12 8-12 8z"/>',
    "key": '<circle cx="8" cy="15" r="5"/><path d="m11.5 11.5 9-9M16 7l3 3"/>',
    "page": '<path d="M6 2h8l5 5v15H6zM14 2v5h5M9 12h7M9 16h7"/>',
    "copy": '<path d="M9 9h11v12H9zM15 9V4H4v12h5"/>',
    "theme": '<circle cx="12" cy="12" r="9"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/>',
    "more": '<path d="M5 12h.01M12 12h.01M19 12h.01" stroke-width="3.5"/>',
    "hand": '<path d="M12 3v11m-4-4 4 4 4-4M4 15v5h16v-5"/>',
    "eye": '<path d="M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12z"/><circle cx="12" cy="12" r="3"/>',
    "list": '<path d="M8 6h13M8 12h13M8 18h13M3 6h.01M3 12h.01M3 18h.01"/>',
    "plane": (
        '<path d="M21 3c-1-1-3 0-4 1l-3.5 3.5L5 5 3.5 6.5l7 4L7 14l-3 0-1 1 4 2 2 4 1-1v-3l3.5-3.5 4 7L19 '
        '19l-2.5-8.5L20 7c1-1 2-3 1-4z"/>'
    ),
}
_DRAWN = {
    name: mark_safe(FRAME.format(drawing))  # noqa: S308 - nothing but the constants above
    for names, drawing in DRAWINGS.items()
    for name in ((names,) if isinstance(names, str) else names)
}
_EMPTY = mark_safe(FRAME.format(""))  # noqa: S308


@register.simple_tag
def icon(name: str) -> SafeString:
    """The icon of this name, in the colour of the text; an empty one for a name that nobody has drawn."""
    return _DRAWN.get(name, _EMPTY)
