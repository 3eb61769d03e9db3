"""Addresses under ``/api/v1/``. Its description, ``openapi.json``, is served beside the decision API."""

from django.urls import path, re_path

from governance.api.people import accounts, approvals, drafts, exceptions, held, waivers
from governance.api.people.access import endpoint, nothing

urlpatterns = [
    path("approvals", endpoint(get=approvals.inbox), name="api-approvals"),
    path("approvals/<int:request_id>", endpoint(get=approvals.detail), name="api-approval"),
    path("approvals/<int:request_id>/votes", endpoint(post=approvals.vote), name="api-votes"),
    path("approvals/<int:request_id>/comments", endpoint(post=approvals.comment), name="api-comments"),
    path("approvals/<int:request_id>/withdraw", endpoint(post=approvals.withdraw), name="api-approval-withdraw"),
    path("approvals/<int:request_id>/hand-over", endpoint(post=approvals.hand_over), name="api-hand-over"),
    path("exceptions", endpoint(get=exceptions.listing, post=exceptions.file), name="api-exceptions"),
    path("exceptions/several", endpoint(post=exceptions.file_several), name="api-exceptions-several"),
    path("exceptions/<int:exception_id>", endpoint(get=exceptions.detail, put=exceptions.edit), name="api-exception"),
    path("exceptions/<int:exception_id>/withdraw", endpoint(post=exceptions.withdraw), name="api-withdraw"),
    path("exceptions/<int:exception_id>/accept", endpoint(post=exceptions.accept), name="api-accept"),
    path("exceptions/<int:exception_id>/decline", endpoint(post=exceptions.decline), name="api-decline"),
    path("drafts", endpoint(get=drafts.listing, post=drafts.create), name="api-drafts"),
    path("drafts/<uuid:key>", endpoint(get=drafts.detail, put=drafts.change, delete=drafts.discard), name="api-draft"),
    path("drafts/<uuid:key>/file", endpoint(post=drafts.file), name="api-draft-file"),
    path("drafts/<uuid:key>/decline", endpoint(post=drafts.decline), name="api-draft-decline"),
    path("asks", endpoint(get=drafts.asks, post=drafts.ask), name="api-asks"),
    path("asks/<uuid:key>/take-back", endpoint(post=drafts.take_back), name="api-take-back"),
    path("waivers", endpoint(get=waivers.listing), name="api-waivers"),
    path("waivers/<int:waiver_id>", endpoint(get=waivers.detail), name="api-waiver"),
    path("waivers/<int:waiver_id>/revoke", endpoint(post=waivers.revoke), name="api-waiver-revoke"),
    path("waivers/<int:waiver_id>/renew", endpoint(post=waivers.renew), name="api-waiver-renew"),
    path("break-glass", endpoint(get=waivers.broken, post=waivers.ask), name="api-break-glass"),
    path("break-glass/<int:break_glass_id>", endpoint(get=waivers.glass), name="api-break-glass-one"),
    path("break-glass/<int:break_glass_id>/confirm", endpoint(post=waivers.confirm), name="api-break-glass-confirm"),
    path("break-glass/<int:break_glass_id>/review", endpoint(post=waivers.review), name="api-break-glass-review"),
    path("delegations", endpoint(get=accounts.delegations, post=accounts.delegate), name="api-delegations"),
    path("delegations/<int:delegation_id>/revoke", endpoint(post=accounts.revoke), name="api-delegation-revoke"),
    path("notifications", endpoint(get=accounts.told), name="api-notifications"),
    path("notifications/read", endpoint(post=accounts.read), name="api-notifications-read"),
    path("held/<str:of>", endpoint(get=held.listing), name="api-held"),
    path("held/<str:of>/<str:key>", endpoint(post=held.decide), name="api-held-decide"),
    path(
        "objects/<str:kind>/<str:key>/permissions",
        endpoint(get=accounts.permissions, post=accounts.give),
        name="api-permissions",
    ),
    path("objects/<str:kind>/<str:key>/permissions/take", endpoint(post=accounts.take), name="api-permissions-take"),
    re_path(r"", endpoint(get=nothing, post=nothing, put=nothing, delete=nothing), name="api-nothing"),
]
