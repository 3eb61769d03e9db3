"""Writes of enforcement, by noun: ``lifecycle`` of directives, ``exceptions``, ``runs``, ``people`` and ``catalog`` changes."""
