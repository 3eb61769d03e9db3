"""Health and metrics: whether the process serves, whether everything it needs does, and numbers for Prometheus."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from kombu import Connection
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from governance.enforcement import metrics as decision_metrics
from governance.enforcement import policy, queries
from governance.enforcement.models import Restriction
from governance.enforcement.services.first_start import was_started
from governance.ledger.models import Entry, OutboxEvent, TreeHead

_migrated = False


@login_not_required
@require_GET
def live(request: HttpRequest) -> HttpResponse:
    """200 while the process serves; looks at nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_GET
def ready(request: HttpRequest) -> HttpResponse:
    """200 once everything is usable, else 503 naming the part that is missing, without details."""
    missing = [name for name, fits in _PARTS if not _usable(fits)]
    if missing:
        return JsonResponse({"ready": False, "missing": missing}, status=503)
    return JsonResponse({"ready": True})


def _usable(check) -> bool:  # type: ignore[no-untyped-def]
    try:
        return bool(check())
    except Exception:  # whatever is wrong with a part, the part is missing; details stay in the logs
        return False


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return True


def _migrations() -> bool:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _broker() -> bool:
    options = dict(settings.CELERY_BROKER_TRANSPORT_OPTIONS)
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=2, transport_options=options) as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        return True


def _policy() -> bool:
    return policy.load().epoch > 0


def _first_start() -> bool:
    return was_started()


_PARTS = (
    ("database", _database),
    ("migrations", _migrations),
    ("broker", _broker),
    ("policy", _policy),
    ("first start", _first_start),
)


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for the machine itself or a bearer of ``METRICS_TOKEN``. No person and no country is a label."""
    if not _may_read(request):
        return HttpResponse(status=403)
    figures: list[GaugeMetricFamily] = []

    def gauge(name: str, about: str, value: float) -> None:
        figures.append(GaugeMetricFamily(f"portcullis_{name}", about, value=value))

    try:
        gauge("policy_epoch", "The policy epoch.", policy.load().epoch)
        gauge("runs_unfinished", "Runs that are not finished.", queries.unfinished_runs().count())
        gauge("restrictions", "Restrictions that exist.", Restriction.objects.count())
        gauge("ledger_entries", "Entries in the ledger.", Entry.objects.count())
        head = TreeHead.objects.order_by("-size").values_list("size", flat=True).first()
        gauge("ledger_sealed", "Entries that are sealed.", head or 0)
        gauge("outbox_events", "Events in the outbox.", OutboxEvent.objects.count())
        up = 1
    except (DatabaseError, InterfaceError, policy.CannotDecide):
        up = 0
    gauge("database_up", "Whether the database answered.", up)
    text = generate_latest(_Figures(figures)) + generate_latest(decision_metrics.collected())
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """What the database says now: not kept by any process."""

    def __init__(self, figures: list[GaugeMetricFamily]) -> None:
        self.figures = figures

    def collect(self) -> list[GaugeMetricFamily]:
        return self.figures


def _may_read(request: HttpRequest) -> bool:
    if request.META.get("REMOTE_ADDR") in ("127.0.0.1", "::1"):
        return True
    token = settings.METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())
