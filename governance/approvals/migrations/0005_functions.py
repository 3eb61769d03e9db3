"""What the triggers of approvals ask: who may decide, who is in conflict, which votes count."""

from django.db import migrations

from governance.approvals.guards import DROP_FUNCTIONS, FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0004_engine"),
        ("accounts", "0001_initial"),
        ("people", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS)]
