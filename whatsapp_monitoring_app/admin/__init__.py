"""Django's admin of the monitoring, for superusers: every row, numbers and all.

People's numbers are not hidden here: whoever repairs rows has to see them. The offices' own pages hide them.
"""

from whatsapp_monitoring_app.admin import announcements, messages, people, senders, templates, watching
from whatsapp_monitoring_app.admin.base import Looked, ReadOnly

__all__ = ["Looked", "ReadOnly", "announcements", "messages", "people", "senders", "templates", "watching"]
