"""The decision as a plain Django view that loads objects: what one writes first."""

from __future__ import annotations

import hashlib
import json
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth.decorators import login_not_required  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db.models import Q  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone  # noqa: E402
from django.views.decorators.csrf import csrf_exempt  # noqa: E402

from governance.accounts.models import ApiToken  # noqa: E402
from governance.catalog.models import ModelCapability  # noqa: E402
from governance.directives.models import Directive  # noqa: E402
from governance.people.models import Person  # noqa: E402
from governance.rules.attributes import SLOTS  # noqa: E402
from governance.rules.closures import compile_closure  # noqa: E402
from governance.rules.language import parse  # noqa: E402


@csrf_exempt
@login_not_required
def evaluation(request: HttpRequest) -> JsonResponse:
    digest = hashlib.sha256(request.headers["Authorization"].removeprefix("Bearer ").encode()).hexdigest()
    ApiToken.objects.get(digest=digest, revoked_at=None)
    body = json.loads(request.body)
    person = Person.objects.select_related("organisation").get(pk=body["subject"]["id"])
    item = ModelCapability.objects.select_related("audience").get(
        model__slug=body["resource"]["id"], capability__slug=body["action"]["name"]
    )
    facts = [_fact(person, name) for name in SLOTS]
    permit = item.enabled and item.audience is not None and compile_closure(parse(item.audience.rule))(facts) is True
    covering = []
    if permit:
        now = timezone.now()
        in_scope = Directive.objects.filter(state="active").filter(
            Q(version_in_force__scope__model=item.model_id),
            Q(version_in_force__scope__capability=None) | Q(version_in_force__scope__capability=item.capability_id),
        )
        for directive in in_scope.select_related("version_in_force").distinct():
            version = directive.version_in_force
            truth = compile_closure(parse(version.expanded_rule or version.rule))(facts)
            if truth is not False:
                waived = person.waivers.filter(directive=directive, starts_at__lte=now, ends_at__gt=now, ended_at=None)
                if not waived.filter(items__model_capability=item).exists():
                    covering.append(directive.reference)
    return JsonResponse({"decision": permit and not covering, "context": {"reason": {"directives": covering}}})


def _fact(person: Person, name: str) -> object:
    owner, _, attribute = name.partition(".")
    if owner == "person":
        return getattr(person, attribute)
    return getattr(person.organisation, {"vetting": "vetting_status"}.get(attribute, attribute), None)


urlpatterns = [path("access/v1/evaluation", evaluation)]
settings.ROOT_URLCONF = __name__
application = get_wsgi_application()
