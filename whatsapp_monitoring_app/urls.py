"""The monitoring's addresses: the same screens for every office, and the providers' webhooks."""

from collections.abc import Sequence

from django.urls import URLPattern, path

from whatsapp_monitoring_app.scopes import Scope
from whatsapp_monitoring_app.views import (
    administration,
    alerts,
    announcements,
    audit,
    bulks,
    calls,
    causes,
    changes,
    dashboard,
    details,
    errors,
    exports,
    listing,
    opt_outs,
    overview,
    retries,
    retry_batches,
    reveals,
    saved_views,
    senders,
    templates,
    webhooks,
)
from whatsapp_monitoring_app.views.details import SubjectPages

urlpatterns = [
    path("cloud/", webhooks.CloudApiWebhookView.as_view(), name="whatsapp_cloud_webhook"),
    path("wachap/", webhooks.WebhookView.as_view(provider="wachap"), name="whatsapp_wachap_webhook"),
    path("twilio/", webhooks.WebhookView.as_view(provider="twilio"), name="whatsapp_twilio_webhook"),
]


def monitoring_urls(scope: Scope) -> list[URLPattern]:
    """The monitoring screens of one office, under `whatsapp/monitoring/`."""
    return [
        path("whatsapp/monitoring/", dashboard.DashboardView.as_view(scope=scope), name="whatsapp_monitoring"),
        path(
            "whatsapp/monitoring/list/",
            listing.NotificationListView.as_view(scope=scope),
            name="whatsapp_monitoring_list",
        ),
        path(
            "whatsapp/monitoring/retry/",
            retries.RetryFailedView.as_view(scope=scope),
            name="whatsapp_retry_failed",
        ),
        *details_urls(scope),
    ]


def details_urls(
    scope: Scope, user_relations: Sequence[str] = (), subject_pages: SubjectPages = details.no_pages
) -> list[URLPattern]:
    """The screens of one message, and of the people whom none could tell, for an office that binds the others itself.

    `user_relations` are what the office's own `_call_links.html`, `_details_links.html` and `_correct_number.html`
    read of a user; `subject_pages` names the office's pages about what messages speak of.
    """
    return [
        *call_urls(scope, user_relations),
        *announcement_urls(scope),
        *bulk_urls(scope),
        *alert_urls(scope),
        *export_urls(scope),
        *batch_urls(scope),
        *view_urls(scope),
        path("whatsapp/monitoring/changes/", changes.ChangesView.as_view(scope=scope), name="whatsapp_changes"),
        *cause_urls(scope),
        *message_urls(scope, user_relations, subject_pages),
    ]


def message_urls(scope: Scope, user_relations: Sequence[str], subject_pages: SubjectPages) -> list[URLPattern]:
    """The screens of one message, under `whatsapp/monitoring/<code>/`."""
    one = "whatsapp/monitoring/<uuid:code>/"
    shown = details.DetailsView.as_view(scope=scope, user_relations=user_relations, subject_pages=subject_pages)
    return [
        path(one, shown, name="whatsapp_attempt_details"),
        path(f"{one}retry/", retries.RetryView.as_view(scope=scope), name="whatsapp_retry"),
        path(f"{one}cancel/", details.CancelView.as_view(scope=scope), name="whatsapp_cancel"),
        path(f"{one}arrived/", details.ConfirmArrivalView.as_view(scope=scope), name="whatsapp_confirm_arrival"),
        path(f"{one}give-up/", details.GiveUpView.as_view(scope=scope), name="whatsapp_give_up"),
    ]


def cause_urls(scope: Scope) -> list[URLPattern]:
    """What failed, grouped by cause, under `whatsapp/monitoring/causes/`."""
    every = "whatsapp/monitoring/causes/"
    return [
        path(every, causes.CausesView.as_view(scope=scope), name="whatsapp_groups"),
        path(f"{every}handled/", causes.HandledView.as_view(scope=scope), name="whatsapp_group_handled"),
        path(f"{every}reopen/", causes.ReopenView.as_view(scope=scope), name="whatsapp_group_reopen"),
    ]


def view_urls(scope: Scope) -> list[URLPattern]:
    """The views of the list of messages that people save; `details_urls` has them."""
    create, delete = saved_views.SavedViewCreateView, saved_views.SavedViewDeleteView
    return [
        path("whatsapp/monitoring/views/new/", create.as_view(scope=scope), name="whatsapp_view_create"),
        path("whatsapp/monitoring/views/<int:pk>/delete/", delete.as_view(scope=scope), name="whatsapp_view_delete"),
    ]


def call_urls(scope: Scope, user_relations: Sequence[str] = ()) -> list[URLPattern]:
    """Whom to call, the start of the day, and the proof of notice."""
    call_list = calls.CallListView.as_view(scope=scope, user_relations=user_relations)
    return [
        path("whatsapp/calls/", call_list, name="whatsapp_calls"),
        path("whatsapp/calls/told/", calls.ToldView.as_view(scope=scope), name="whatsapp_call_told"),
        path("whatsapp/calls/later/", calls.NotReachedView.as_view(scope=scope), name="whatsapp_call_later"),
        path("whatsapp/calls/wrong/", calls.WrongPersonView.as_view(scope=scope), name="whatsapp_call_wrong"),
        path("whatsapp/morning/", overview.MorningView.as_view(scope=scope), name="whatsapp_morning"),
        path("whatsapp/proof/", overview.ProofView.as_view(scope=scope), name="whatsapp_proof"),
    ]


def announcement_urls(scope: Scope) -> list[URLPattern]:
    """The screens of what was announced to many, under `whatsapp/announcements/`; `details_urls` has them."""
    one = "whatsapp/announcements/<uuid:code>/"
    return [
        path(
            "whatsapp/announcements/",
            announcements.AnnouncementListView.as_view(scope=scope),
            name="whatsapp_announcements",
        ),
        path(one, announcements.AnnouncementView.as_view(scope=scope), name="whatsapp_announcement"),
        path(
            f"{one}complete/",
            announcements.CompleteView.as_view(scope=scope),
            name="whatsapp_announcement_complete",
        ),
        path(
            f"{one}retry/",
            announcements.RetryFailedView.as_view(scope=scope),
            name="whatsapp_announcement_retry",
        ),
    ]


def bulk_urls(scope: Scope) -> list[URLPattern]:
    """The screens of what was written to many at once, under `whatsapp/bulks/`; `details_urls` has them."""
    return [
        path("whatsapp/bulks/", bulks.BulkListView.as_view(scope=scope), name="whatsapp_bulks"),
        path("whatsapp/bulks/<uuid:code>/", bulks.BulkView.as_view(scope=scope), name="whatsapp_bulk"),
    ]


def export_urls(scope: Scope) -> list[URLPattern]:
    """The files of messages that people ask for; `details_urls` has them."""
    one = "whatsapp/exports/<uuid:code>/"
    return [
        path(
            "whatsapp/monitoring/export/",
            exports.ExportCreateView.as_view(scope=scope),
            name="whatsapp_export_create",
        ),
        path("whatsapp/exports/", exports.ExportListView.as_view(scope=scope), name="whatsapp_exports"),
        path(one, exports.ExportView.as_view(scope=scope), name="whatsapp_export"),
        path(f"{one}file/", exports.ExportFileView.as_view(scope=scope), name="whatsapp_export_file"),
        path(f"{one}delete/", exports.ExportDeleteView.as_view(scope=scope), name="whatsapp_export_delete"),
    ]


def batch_urls(scope: Scope) -> list[URLPattern]:
    """The screens of what was sent again in bulk, under `whatsapp/monitoring/retries/`; `details_urls` has them."""
    one = "whatsapp/monitoring/retries/<uuid:code>/"
    return [
        path(
            "whatsapp/monitoring/retries/",
            retry_batches.BatchListView.as_view(scope=scope),
            name="whatsapp_retry_batches",
        ),
        path(one, retry_batches.BatchView.as_view(scope=scope), name="whatsapp_retry_batch"),
        path(f"{one}run/", retry_batches.RunView.as_view(scope=scope), name="whatsapp_retry_batch_run"),
        path(f"{one}pause/", retry_batches.PauseView.as_view(scope=scope), name="whatsapp_retry_batch_pause"),
        path(f"{one}cancel/", retry_batches.CancelView.as_view(scope=scope), name="whatsapp_retry_batch_cancel"),
    ]


def alert_urls(scope: Scope) -> list[URLPattern]:
    """What is wrong with the whole, under `whatsapp/alerts/`; `details_urls` has them."""
    return [
        path("whatsapp/alerts/", alerts.AlertListView.as_view(scope=scope), name="whatsapp_alerts"),
        path(
            "whatsapp/alerts/<uuid:code>/take/",
            alerts.AlertTakeView.as_view(scope=scope),
            name="whatsapp_alert_take",
        ),
    ]


def alert_choice_urls(scope: Scope) -> list[URLPattern]:
    """How administrators are told of alerts; `admin_urls` has them."""
    return [
        path("whatsapp/alerts/choice/", alerts.AlertChoiceView.as_view(scope=scope), name="whatsapp_alert_choice"),
        path("whatsapp/alerts/test/", alerts.AlertTestView.as_view(scope=scope), name="whatsapp_alert_test"),
    ]


def admin_urls(scope: Scope) -> list[URLPattern]:
    """What only an office that sees every office has: the administration, the senders under `whatsapp/senders/`."""
    screens = {
        "edit": senders.SenderEditView,
        "token": senders.SenderTokenView,
        "test": senders.SenderTestView,
        "check": senders.SenderCheckView,
        "pause": senders.SenderPauseView,
        "resume": senders.SenderResumeView,
    }
    return [
        *_administration_urls(scope),
        *alert_choice_urls(scope),
        path("whatsapp/senders/", senders.SenderListView.as_view(scope=scope), name="whatsapp_senders"),
        path("whatsapp/senders/new/", senders.SenderCreateView.as_view(scope=scope), name="whatsapp_sender_create"),
        path("whatsapp/senders/<int:pk>/", senders.SenderView.as_view(scope=scope), name="whatsapp_sender"),
        path(
            "whatsapp/senders/<int:pk>/check-number/",
            senders.SenderCheckNumberView.as_view(scope=scope),
            name="whatsapp_sender_check_number",
        ),
        *(
            path(f"whatsapp/senders/<int:pk>/{name}/", view.as_view(scope=scope), name=f"whatsapp_sender_{name}")
            for name, view in screens.items()
        ),
    ]


def _administration_urls(scope: Scope) -> list[URLPattern]:
    """The page that leads to the others, and what only it leads to; the numbers that are hidden are shown here."""
    reveal, person = reveals.RevealView.as_view(scope=scope), reveals.RevealAddresseeView.as_view(scope=scope)
    opt_out = opt_outs.OptOutDeleteView.as_view(scope=scope)
    return [
        path(
            "whatsapp/administration/",
            administration.AdministrationView.as_view(scope=scope),
            name="whatsapp_administration",
        ),
        path("whatsapp/queues/", administration.QueuesView.as_view(scope=scope), name="whatsapp_queues"),
        path("whatsapp/errors/", errors.ErrorListView.as_view(scope=scope), name="whatsapp_errors"),
        path("whatsapp/errors/<int:pk>/", errors.ErrorView.as_view(scope=scope), name="whatsapp_error"),
        path("whatsapp/opt-outs/", opt_outs.OptOutListView.as_view(scope=scope), name="whatsapp_opt_outs"),
        path("whatsapp/opt-outs/<int:pk>/delete/", opt_out, name="whatsapp_opt_out_delete"),
        path("whatsapp/audit/", audit.AuditView.as_view(scope=scope), name="whatsapp_audit"),
        path("whatsapp/monitoring/<uuid:code>/reveal/", reveal, name="whatsapp_reveal"),
        path("whatsapp/announcements/<uuid:code>/<int:pk>/reveal/", person, name="whatsapp_reveal_addressee"),
    ]


def template_urls(scope: Scope) -> list[URLPattern]:
    """The screens of the message templates, for an office that sees every office, under `whatsapp/templates/`."""
    one_name = "whatsapp/templates/<int:pk>/names/<slug:sender>/<slug:language>/"
    return [
        path("whatsapp/templates/", templates.TemplateListView.as_view(scope=scope), name="whatsapp_templates"),
        path("whatsapp/templates/new/", templates.TemplateView.as_view(scope=scope), name="whatsapp_template_create"),
        path(
            "whatsapp/templates/preview/",
            templates.PreviewView.as_view(scope=scope),
            name="whatsapp_template_preview",
        ),
        path("whatsapp/templates/sync/", templates.SyncView.as_view(scope=scope), name="whatsapp_templates_sync"),
        path(
            "whatsapp/templates/stopped/<int:pk>/resume/",
            templates.ResumeView.as_view(scope=scope),
            name="whatsapp_template_resume",
        ),
        path("whatsapp/templates/<int:pk>/", templates.TemplateView.as_view(scope=scope), name="whatsapp_template"),
        path(one_name, templates.NameView.as_view(scope=scope), name="whatsapp_template_name"),
        path(
            f"{one_name}delete/",
            templates.NameDeleteView.as_view(scope=scope),
            name="whatsapp_template_name_delete",
        ),
    ]
