"""Reads about notifications."""

from __future__ import annotations

from django.db.models import QuerySet

from governance.accounts.models import User
from governance.notifications.models import Notification, Preference


def of(user: User) -> QuerySet[Notification]:
    return Notification.objects.filter(user=user)


def unread(user: User) -> int:
    return of(user).filter(read_at=None).count()


def mails_refused(user: User) -> set[str]:
    return set(Preference.objects.filter(user=user).values_list("no_mail", flat=True).first() or [])
