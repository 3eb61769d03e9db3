"""The default approval policies of CONTRACTS.md, present from the first start in every mode."""

from django.db import migrations

_LEAD, _COUNSEL, _EXECUTIVE = "trust-and-safety lead", "export-control counsel", "executive"
_ANY = [_LEAD, _COUNSEL, _EXECUTIVE]

POLICIES = {
    **{
        f"directive.{act}": [("Second person", _ANY, None, None, None)]
        for act in ("activation", "suspension", "resumption", "rescission")
    },
    # An emergency is confirmed within 24 hours.
    "directive.confirmation": [("Second person", _ANY, None, None, 24)],
    # Letting unknowns pass on an order that says "immediately" needs counsel.
    "directive.activation.counsel": [("Export-control counsel", [_COUNSEL], None, None, None)],
    "exception": [
        ("Trust-and-safety lead", [_LEAD], None, None, 4),
        ("Export-control counsel", [_COUNSEL], None, None, 8),
        ("Executive", [_EXECUTIVE], 4, 7, 24),
    ],
}


def create(apps, schema_editor):
    Policy = apps.get_model("approvals", "ApprovalPolicy")
    Stage = apps.get_model("approvals", "PolicyStage")
    for kind, stages in POLICIES.items():
        policy = Policy.objects.create(kind=kind)
        for position, (name, groups, tier, days, hours) in enumerate(stages, start=1):
            Stage.objects.create(
                policy=policy, position=position, name=name, groups=groups, min_tier=tier, more_than_days=days,
                due_hours=hours,
            )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
