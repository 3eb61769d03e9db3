"""Auditors and administrators see who can do what."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_personal_tokens"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="right",
            options={
                "default_permissions": (),
                "managed": False,
                "permissions": [
                    ("draft_directives", "Draft directives"),
                    ("activate_directives", "Activate directives, ask for suspension and rescission, steer runs"),
                    ("view_directives", "View directives and their history"),
                    ("view_case_file", "View case files"),
                    ("edit_case_file", "Edit case files"),
                    ("view_people", "View people without sensitive values"),
                    ("manage_people", "Import people"),
                    ("view_held", "View held changes"),
                    ("confirm_held", "Confirm or refuse held changes"),
                    ("view_covered", "View lists of covered people"),
                    ("reveal_sensitive", "Reveal sensitive values with a purpose"),
                    ("view_exceptions", "View all exceptions"),
                    ("hand_over_approvals", "Name somebody for a stage of an approval"),
                    ("view_ledger", "View the ledger"),
                    ("export_case", "Export case files"),
                    ("view_rights", "View who can do what"),
                    ("administer", "Administer accounts, roles, tokens and settings"),
                    ("manage_catalog", "Load the catalog"),
                ],
            },
        ),
    ]
