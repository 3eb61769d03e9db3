"""Portcullis: the control plane that opens when an order about AI models arrives."""

from governance.celery import app as celery_app

__all__ = ["celery_app"]
