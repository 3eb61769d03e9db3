"""Saving and removing the test people of a directive, from the page where its rule is written."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from governance.directives import profiles
from governance.web import forms
from governance.web.http import Visit


@require_POST
def save(request: Visit, reference: str) -> HttpResponse:
    person = profiles.save_test_person(
        actor=request.actor,
        reference=reference,
        name=request.POST.get("name", ""),
        facts=forms.read_facts(request.POST),
        expected=request.POST.get("expected", ""),
    )
    messages.success(
        request, f"{person.name} is a test person now. Every version has to give what is expected of them."
    )
    return redirect("directive-edit", reference=reference)


@require_POST
def remove(request: Visit, reference: str, person_id: int) -> HttpResponse:
    profiles.remove_test_person(actor=request.actor, reference=reference, person_id=person_id)
    messages.success(request, "The test person is removed.")
    return redirect("directive-edit", reference=reference)
