"""Who approves a change of an approval policy: the default policy of that kind of request."""

from django.db import migrations

GROUPS = ["trust-and-safety lead", "export-control counsel", "executive"]


def create(apps, schema_editor):
    """Inactive first: the stages of a policy in force do not change."""
    policy = apps.get_model("approvals", "ApprovalPolicy").objects.create(kind="approval.policy", active=False)
    apps.get_model("approvals", "PolicyStage").objects.create(
        policy=policy, position=1, name="Second person", groups=GROUPS
    )
    policy.active = True
    policy.save(update_fields=["active"])


class Migration(migrations.Migration):
    dependencies = [("approvals", "0007_policy_changes_approved")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
