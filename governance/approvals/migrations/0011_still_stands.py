"""What somebody may decide by name through; requests that are open already keep whom they named."""

import django.contrib.postgres.fields
from django.db import migrations, models

from governance.approvals.guards import DROP_STILL_STANDS, STILL_STANDS


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_holds"),
        ("approvals", "0010_policy_terms"),
    ]

    operations = [
        migrations.AddField(
            model_name="stageapprover",
            name="through",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=120), blank=True, default=list, size=None
            ),
        ),
        migrations.RunSQL(STILL_STANDS, DROP_STILL_STANDS),
    ]
