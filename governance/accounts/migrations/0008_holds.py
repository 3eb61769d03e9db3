"""Whether an account has a permission on one object, for triggers."""

from django.db import migrations

from governance.accounts.object_models import HOLDS


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_messages")]
    operations = [migrations.RunSQL(HOLDS, "DROP FUNCTION accounts_holds(bigint, text, bigint);")]
