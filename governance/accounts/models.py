"""People who sign in, and credentials of machines that ask for decisions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from governance.accounts.rights import RIGHTS


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=self.model.normalize_username(username), email=email.strip(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        """For Django's command. A superuser has no right that a role does not give (CONTRACTS.md)."""
        return self.create_user(username, email, password, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=username)


class Theme(models.TextChoices):
    SYSTEM = "", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class User(AbstractBaseUser, PermissionsMixin):
    """An account. It is joined with a person by e-mail address, whichever comes first."""

    username = models.CharField(max_length=150, unique=True, validators=[UnicodeUsernameValidator()])
    full_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField()
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    theme = models.CharField(max_length=5, choices=Theme, blank=True, default=Theme.SYSTEM)
    date_joined = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email"),
            models.CheckConstraint(name="user_has_email", condition=~Q(email="")),
        ]

    def __str__(self) -> str:
        return self.full_name or self.username

    def get_full_name(self) -> str:
        return str(self)

    def has_right(self, right: str) -> bool:
        """Whether one of the account's roles gives the right. ``is_superuser`` gives none; inactive accounts have none."""
        return self.is_active and right in self.rights()

    def rights(self) -> frozenset[str]:
        held = self.__dict__.get("_rights")
        if held is None:
            held = frozenset(
                self.groups.filter(
                    permissions__content_type__app_label="accounts", permissions__content_type__model="right"
                )
                .values_list("permissions__codename", flat=True)
                .distinct()
            ) & frozenset(RIGHTS)
            self.__dict__["_rights"] = held
        return held

    def roles(self) -> frozenset[str]:
        held = self.__dict__.get("_roles")
        if held is None:
            held = self.__dict__["_roles"] = frozenset(self.groups.values_list("name", flat=True))
        return held


class Right(models.Model):
    """Carries the permissions of ``rights.RIGHTS``; has no table."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = list(RIGHTS.items())

    def __str__(self) -> str:
        return "right"


class Scope(models.TextChoices):
    DECIDE = "decide", "Decide"
    SEARCH = "search", "Search"
    EXPLAIN = "explain", "Explain"
    HISTORY = "history", "History"


class ApiToken(models.Model):
    """A machine client's credential. Only a digest of it is kept."""

    name = models.CharField(max_length=100, unique=True)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope))
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Reach(models.TextChoices):
    """How far a personal token goes: it never has a right that its account lacks."""

    READ = "read", "Read"
    ACT = "act", "Read and act"


class PersonalToken(models.Model):
    """What a person's own programs show instead of a session. Only a digest of it is kept; it ends by its date."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="personal_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    reach = models.CharField(max_length=4, choices=Reach, default=Reach.READ)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)  # to the minute

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"], condition=Q(revoked_at__isnull=True), name="personal_token_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name
