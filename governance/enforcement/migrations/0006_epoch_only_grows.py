"""The policy epoch only grows: a number that came again would keep an old compiled policy in use."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("enforcement", "0005_vetting_followed"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="policyepoch",
            trigger=pgtrigger.compiler.Trigger(
                name="policy_epoch_grows",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.value <= OLD.value)",
                    func="RAISE EXCEPTION 'the policy epoch only grows';",
                    hash="8b10e1ff9aeba0a1f49debda9f5bbb3c96c1f5c1",
                    operation="UPDATE",
                    pgid="pgtrigger_policy_epoch_grows_33ca1",
                    table="enforcement_policyepoch",
                    when="BEFORE",
                ),
            ),
        ),
    ]
