"""Every address of the product: pages, health, and the decision API."""

from django.urls import include, path

urlpatterns = [
    path("", include("governance.api.urls")),
    path("", include("governance.web.urls")),
]

handler400 = "governance.web.views.errors.bad_request"
handler403 = "governance.web.views.errors.forbidden"
handler404 = "governance.web.views.errors.not_found"
handler500 = "governance.web.views.errors.server_error"
