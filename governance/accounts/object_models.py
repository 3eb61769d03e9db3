"""What every table of object permissions shares: who has which permission on which one object, and who gave it.

The tables are django-guardian's direct foreign-key ones, one pair for each kind of object, in the app that has the object: a row
cannot outlive its object, and lists are filtered by a join that the database knows.
"""

from __future__ import annotations

from collections.abc import Collection

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

# Whether an account has a permission (*app.model.codename*) on one object, by name or through a role it has now. The tables are
# named after the kind of object, so this knows every kind, also those of apps above.
HOLDS = """
CREATE OR REPLACE FUNCTION accounts_holds(account bigint, permission text, object bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    parts text[] := string_to_array(permission, '.');
    kind text := parts[1] || '_' || parts[2];
    found boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT 1 FROM %I o JOIN auth_permission p ON p.id = o.permission_id AND p.codename = $2
                         WHERE o.content_object_id = $3 AND o.user_id = $1)
             OR EXISTS (SELECT 1 FROM %I o JOIN auth_permission p ON p.id = o.permission_id AND p.codename = $2
                          JOIN accounts_user_groups ug ON ug.group_id = o.group_id AND ug.user_id = $1
                         WHERE o.content_object_id = $3)',
        kind || 'userpermission', kind || 'grouppermission')
      INTO found USING account, parts[3], object;
    RETURN found;
END $$;
"""


def guards(kind: str, permissions: Collection[tuple[str, str]]) -> list[pgtrigger.Trigger]:
    """Only permissions of that kind of object (*app.model*), never changed in place, and none to a role of whoever gives it."""
    app, model = kind.split(".")
    names = ", ".join(f"'{codename}'" for codename, _ in permissions)
    return [
        pgtrigger.Trigger(
            name="of_its_object",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert | pgtrigger.Update,
            func=f"""
                IF TG_OP = 'UPDATE' THEN
                    RAISE EXCEPTION 'a permission is given or taken, not changed';
                END IF;
                IF NOT EXISTS (SELECT 1 FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
                                WHERE p.id = NEW.permission_id AND t.app_label = '{app}' AND t.model = '{model}'
                                  AND p.codename IN ({names})) THEN
                    RAISE EXCEPTION 'there is no such permission on this kind of object';
                END IF;
                RETURN NEW;
            """,
        )
    ]


NOT_TO_ONES_OWN_ROLE = pgtrigger.Trigger(
    name="not_to_ones_own_role",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    condition=pgtrigger.Condition("NEW.given_by_id IS NOT NULL"),
    func="""
        IF EXISTS (SELECT 1 FROM accounts_user_groups g
                    WHERE g.user_id = NEW.given_by_id AND g.group_id = NEW.group_id) THEN
            RAISE EXCEPTION 'nobody gives a permission to a role of their own';
        END IF;
        RETURN NEW;
    """,
)


class Given(models.Model):
    """``given_by`` is empty where whoever administers the machine gave it."""

    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    given_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True


class UserObjectPermission(Given, UserObjectPermissionBase):
    class Meta(UserObjectPermissionBase.Meta):
        abstract = True
        constraints = [
            models.CheckConstraint(name="%(class)s_not_to_oneself", condition=~Q(user=F("given_by"))),
        ]


class GroupObjectPermission(Given, GroupObjectPermissionBase):
    class Meta(GroupObjectPermissionBase.Meta):
        abstract = True
