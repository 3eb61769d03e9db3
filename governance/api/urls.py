"""Health and metrics. The decision API is a WSGI application of its own (``api/authzen``)."""

from django.urls import path

from governance.api import health

urlpatterns = [
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
]
