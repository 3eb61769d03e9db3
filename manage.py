#!/usr/bin/env python
"""Runs Portcullis' commands, with the environment of ``make run``."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here. Run `make run` once, then use .venv/bin/python manage.py.")
    from governance.runtime.errors import Unusable

    try:
        execute_from_command_line(sys.argv)
    except Unusable as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
