"""Who wrote a version is kept whole, nobody approves what they wrote, and one version at most is in preparation.

Versions that exist have as writers the authors of all versions up to them, from which they were copied. Of several in
preparation the newest stays.
"""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

_WRITERS = """
UPDATE directives_directiveversion v SET writers = coalesce(
    (SELECT array_agg(DISTINCT earlier.author_id) FROM directives_directiveversion earlier
      WHERE earlier.directive_id = v.directive_id AND earlier.number <= v.number AND earlier.author_id IS NOT NULL), '{}');
UPDATE directives_directiveversion v SET state = 'withdrawn'
 WHERE v.state = 'approved'
   AND EXISTS (SELECT 1 FROM directives_directiveversion newer
                WHERE newer.directive_id = v.directive_id AND newer.number > v.number
                  AND newer.state IN ('draft', 'submitted', 'approved'));
"""


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0003_only_by_votes"),
        ("directives", "0003_test_people"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="directiveversion",
            name="version_immutable",
        ),
        migrations.RemoveConstraint(
            model_name="directiveversion",
            name="version_one_draft",
        ),
        migrations.AddField(
            model_name="directiveversion",
            name="activated_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="directiveversion",
            name="writers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), blank=True, default=list, size=None
            ),
        ),
        migrations.RunSQL(_WRITERS, migrations.RunSQL.noop),
        pgtrigger.migrations.AddTrigger(
            model_name="directive",
            trigger=pgtrigger.compiler.Trigger(
                name="directive_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'directives and their versions are kept';",
                    hash="3f273522edfaea8818e456512ad477eaddc1cb7f",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_directive_no_truncate_bfc68",
                    table="directives_directive",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_immutable",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> 'draft')",
                    func="\n                    IF OLD.effect IS DISTINCT FROM NEW.effect OR OLD.on_unknown_then IS DISTINCT FROM NEW.on_unknown_then OR OLD.on_unknown_hours IS DISTINCT FROM NEW.on_unknown_hours OR OLD.waivable IS DISTINCT FROM NEW.waivable OR OLD.include_derived IS DISTINCT FROM NEW.include_derived OR OLD.rule IS DISTINCT FROM NEW.rule OR OLD.expanded_rule IS DISTINCT FROM NEW.expanded_rule OR OLD.legal_basis IS DISTINCT FROM NEW.legal_basis OR OLD.effective_at IS DISTINCT FROM NEW.effective_at OR OLD.expires_at IS DISTINCT FROM NEW.expires_at OR OLD.replaces_id IS DISTINCT FROM NEW.replaces_id OR OLD.waivers IS DISTINCT FROM NEW.waivers OR OLD.restart_verify IS DISTINCT FROM NEW.restart_verify OR OLD.definitions IS DISTINCT FROM NEW.definitions OR OLD.digest IS DISTINCT FROM NEW.digest OR OLD.directive_id IS DISTINCT FROM NEW.directive_id OR OLD.number IS DISTINCT FROM NEW.number OR OLD.author_id IS DISTINCT FROM NEW.author_id OR OLD.writers IS DISTINCT FROM NEW.writers THEN\n                        RAISE EXCEPTION 'a version is immutable once submitted';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="54696e71e0a013a7592c96235f74e5263ff047a6",
                    operation="UPDATE",
                    pgid="pgtrigger_version_immutable_6d232",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'directives and their versions are kept';",
                    hash="d4de9352c5312e272197346d3f3ff83d97abdb54",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_version_no_truncate_127c7",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_begins",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state <> 'draft')",
                    func="RAISE EXCEPTION 'a version begins as a draft';",
                    hash="ffaaf10b00f2c7340740bcf7fc93b7c9c3a88aac",
                    operation="INSERT",
                    pgid="pgtrigger_version_begins_9d9b8",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_writers",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NOT (OLD.writers <@ NEW.writers))",
                    func="RAISE EXCEPTION 'whoever wrote a version stays its writer';",
                    hash="094d00d6a1248738823443aa6fe1ab9755265281",
                    operation="UPDATE",
                    pgid="pgtrigger_version_writers_22f4b",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="directiveversion",
            trigger=pgtrigger.compiler.Trigger(
                name="version_second_person",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.state <> NEW.state AND NEW.state IN ('approved', 'in_force'))",
                    func="\n                    IF NEW.state = 'in_force' AND OLD.state <> 'approved' AND NEW.emergency_reason = '' THEN\n                        RAISE EXCEPTION 'a version takes force when it is approved, or in an emergency with its reason';\n                    END IF;\n                    IF NEW.state = 'approved' AND NOT EXISTS (\n                        SELECT 1 FROM approvals_request r JOIN directives_directive d ON d.id = NEW.directive_id\n                         WHERE r.subject = 'directive:' || d.reference AND r.kind LIKE 'directive.activation%'\n                           AND r.state = 'approved' AND r.opened_at >= NEW.submitted_at\n                           AND NOT EXISTS (SELECT 1 FROM approvals_vote v WHERE v.request_id = r.id\n                                           AND (v.approver_id = ANY(NEW.writers) OR v.approver_id = NEW.submitter_id))) THEN\n                        RAISE EXCEPTION 'a version is approved by somebody who neither wrote nor submitted it';\n                    END IF;\n                    RETURN NEW;\n                ",
                    hash="5d094078f6c9c1a6e893116dbbf12123d90c64e1",
                    operation="UPDATE",
                    pgid="pgtrigger_version_second_person_52509",
                    table="directives_directiveversion",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="scopeitem",
            trigger=pgtrigger.compiler.Trigger(
                name="scope_no_truncate",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'directives and their versions are kept';",
                    hash="c4379f58a947004da2b39e28f9ab376b344c417d",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_scope_no_truncate_14f6d",
                    table="directives_scopeitem",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="directiveversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["draft", "submitted", "approved"])),
                fields=("directive",),
                name="version_one_in_preparation",
            ),
        ),
    ]
