"""Health, metrics, and people's approvals and exceptions. The decision API is a WSGI application of its own (``api/authzen``)."""

from django.urls import include, path

from governance.api import health

urlpatterns = [
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("metrics", health.metrics, name="metrics"),
    path("api/v1/", include("governance.api.people.urls")),
]
