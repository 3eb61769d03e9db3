"""What the triggers of waivers ask: which have conditions, who may break the glass, who stands with whom."""

from django.db import migrations

from governance.waivers.guards import DROP_FUNCTIONS, FUNCTIONS


class Migration(migrations.Migration):
    dependencies = [
        ("waivers", "0005_life_of_waivers"),
        ("approvals", "0005_functions"),
        ("accounts", "0001_initial"),
        ("people", "0001_initial"),
    ]
    operations = [migrations.RunSQL(FUNCTIONS, DROP_FUNCTIONS)]
