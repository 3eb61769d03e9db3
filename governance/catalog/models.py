"""Providers, AI models with their lineage, capabilities, audiences, and the model capabilities that access is given to."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import F, Q

from governance.accounts import object_models


class Provider(models.Model):
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    # A model of another provider is evidence only: never decided on.
    own = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Capability(models.Model):
    """Something models can do that is governed on its own. ``tier``: 1 low … 4 critical."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    domain = models.CharField(max_length=60)
    tier = models.PositiveSmallIntegerField()

    class Meta:
        verbose_name_plural = "capabilities"
        constraints = [models.CheckConstraint(name="capability_tier", condition=Q(tier__gte=1, tier__lte=4))]

    def __str__(self) -> str:
        return self.name


class Audience(models.Model):
    """The rule that says who may use a model capability when no directive says otherwise."""

    slug = models.SlugField(max_length=60, unique=True)
    rule = models.JSONField()

    def __str__(self) -> str:
        return self.slug


class Stage(models.TextChoices):
    INTERNAL = "internal", "Internal"
    RESTRICTED = "restricted", "Restricted"
    GENERAL = "general", "General"
    RETIRED = "retired", "Retired"


MODEL_PERMISSIONS = (("steward_model", "Steward of the model"),)


class AIModel(models.Model):
    """An AI model that is offered. It may be derived from another."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="models")
    stage = models.CharField(max_length=10, choices=Stage)
    derived_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="derived_models"
    )

    class Meta:
        verbose_name = "AI model"
        permissions = MODEL_PERMISSIONS
        constraints = [
            models.CheckConstraint(
                name="model_not_from_itself",
                condition=Q(derived_from__isnull=True) | ~Q(derived_from=F("id")),
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="model_lineage_has_no_circle",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.derived_from_id IS NOT NULL"),
                func="""
                    IF EXISTS (WITH RECURSIVE up(id) AS (
                                 SELECT NEW.derived_from_id
                                 UNION SELECT m.derived_from_id FROM catalog_aimodel m JOIN up ON m.id = up.id
                                        WHERE m.derived_from_id IS NOT NULL)
                               SELECT 1 FROM up WHERE id = NEW.id) THEN
                        RAISE EXCEPTION 'a model cannot derive from itself';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """How ledger and outbox name this model."""
        return f"model:{self.slug}"


class AIModelUserPermission(object_models.UserObjectPermission):
    """Stewards of one model, by name: policies may have them approve exceptions for it."""

    content_object = models.ForeignKey(AIModel, on_delete=models.CASCADE)

    class Meta(object_models.UserObjectPermission.Meta):
        triggers = object_models.guards("catalog.aimodel", MODEL_PERMISSIONS)


class AIModelGroupPermission(object_models.GroupObjectPermission):
    """Roles whose holders are stewards of one model."""

    content_object = models.ForeignKey(AIModel, on_delete=models.CASCADE)

    class Meta(object_models.GroupObjectPermission.Meta):
        triggers = [*object_models.guards("catalog.aimodel", MODEL_PERMISSIONS), object_models.NOT_TO_ONES_OWN_ROLE]


class ModelCapability(models.Model):
    """One capability of one model: the thing access is given to."""

    model = models.ForeignKey(AIModel, on_delete=models.PROTECT, related_name="model_capabilities")
    capability = models.ForeignKey(Capability, on_delete=models.PROTECT, related_name="model_capabilities")
    enabled = models.BooleanField(default=False)
    audience = models.ForeignKey(
        Audience, null=True, blank=True, on_delete=models.PROTECT, related_name="model_capabilities"
    )

    class Meta:
        verbose_name_plural = "model capabilities"
        constraints = [models.UniqueConstraint(fields=["model", "capability"], name="model_capability_once")]

    def __str__(self) -> str:
        return f"{self.model_id}/{self.capability_id}"
