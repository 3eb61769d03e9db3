"""Addresses under ``/api/v1/``. Its description, ``openapi.json``, is served beside the decision API."""

from django.urls import path, re_path

from governance.api.people import approvals, exceptions
from governance.api.people.access import endpoint, nothing

urlpatterns = [
    path("approvals", endpoint(get=approvals.inbox), name="api-approvals"),
    path("approvals/<int:request_id>", endpoint(get=approvals.detail), name="api-approval"),
    path("approvals/<int:request_id>/votes", endpoint(post=approvals.vote), name="api-votes"),
    path("approvals/<int:request_id>/comments", endpoint(post=approvals.comment), name="api-comments"),
    path("exceptions", endpoint(get=exceptions.listing, post=exceptions.file), name="api-exceptions"),
    path("exceptions/<int:exception_id>", endpoint(get=exceptions.detail), name="api-exception"),
    path("exceptions/<int:exception_id>/withdraw", endpoint(post=exceptions.withdraw), name="api-withdraw"),
    re_path(r"", endpoint(get=nothing, post=nothing), name="api-nothing"),
]
