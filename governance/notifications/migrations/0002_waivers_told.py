"""Notifications of waivers, and of those that were opened without approval."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notification",
            name="kind",
            field=models.CharField(
                choices=[
                    ("decision", "A decision waits for you"),
                    ("reminder", "A decision still waits for you"),
                    ("outcome", "What you asked for was decided"),
                    ("talk", "Questions, answers and comments"),
                    ("delegation", "You decide for somebody, or no longer"),
                    ("waiver", "A waiver opens, ends soon, or was ended"),
                    ("review", "A waiver was opened without approval"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="preference",
            name="no_mail",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    choices=[
                        ("decision", "A decision waits for you"),
                        ("reminder", "A decision still waits for you"),
                        ("outcome", "What you asked for was decided"),
                        ("talk", "Questions, answers and comments"),
                        ("delegation", "You decide for somebody, or no longer"),
                        ("waiver", "A waiver opens, ends soon, or was ended"),
                        ("review", "A waiver was opened without approval"),
                    ],
                    max_length=10,
                ),
                blank=True,
                default=list,
                size=None,
            ),
        ),
    ]
