"""An exception is approved by the approval that its filer asked for and that knows whom it is for."""
# ruff: noqa: E501 (the trigger functions stand as they were generated)

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("waivers", "0002_fixed_once_asked"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="exceptionrequest",
            name="exception_approved",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="exceptionrequest",
            trigger=pgtrigger.compiler.Trigger(
                name="exception_approved",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.state IN ('approved', 'waiting') AND OLD.state IS DISTINCT FROM NEW.state)",
                    func="\n        IF NOT EXISTS (SELECT 1 FROM approvals_request a\n                        WHERE a.subject = 'exception:' || NEW.id AND a.state = 'approved' AND a.kind LIKE 'exception%'\n                          AND a.content_digest = NEW.digest AND a.requester_id = NEW.filer_id AND EXISTS (\n                              SELECT 1 FROM approvals_conflict c\n                               WHERE c.request_id = a.id AND c.person_id = NEW.person_id)) THEN\n            RAISE EXCEPTION 'an exception is approved by its approval only';\n        END IF;\n        RETURN NEW;\n    ",
                    hash="2795638703c8b280f336d735e2cf4d818765cf3c",
                    operation="UPDATE",
                    pgid="pgtrigger_exception_approved_1de7c",
                    table="waivers_exceptionrequest",
                    when="BEFORE",
                ),
            ),
        ),
    ]
