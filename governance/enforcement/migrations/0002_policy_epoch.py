"""The policy epoch and the triggers that move it: raw SQL moves it too.

Numbers come from a sequence, taken while the one row is locked: they only grow, and a number that a rolled-back transaction
used never comes again, so that no process can take an old compiled policy for a new one.
"""

from django.db import migrations

_CATALOG = ("catalog_provider", "catalog_aimodel", "catalog_capability", "catalog_modelcapability", "catalog_audience")

_UP = """
CREATE SEQUENCE enforcement_policy_epoch;
INSERT INTO enforcement_policyepoch (id, value) VALUES (1, nextval('enforcement_policy_epoch'));
CREATE FUNCTION enforcement_move_policy_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM enforcement_policyepoch FOR UPDATE;
    UPDATE enforcement_policyepoch SET value = nextval('enforcement_policy_epoch');
    RETURN NULL;
END $$;
CREATE TRIGGER move_policy_epoch AFTER UPDATE ON directives_directive FOR EACH ROW
    WHEN (((OLD.state = 'active') IS DISTINCT FROM (NEW.state = 'active'))
          OR (NEW.state = 'active' AND ((OLD.version_in_force_id, OLD.verify_deadline, OLD.kind, OLD.reference, OLD.title)
              IS DISTINCT FROM (NEW.version_in_force_id, NEW.verify_deadline, NEW.kind, NEW.reference, NEW.title))))
    EXECUTE FUNCTION enforcement_move_policy_epoch();
CREATE TRIGGER move_policy_epoch_insert AFTER INSERT ON directives_directive FOR EACH ROW
    WHEN (NEW.state = 'active') EXECUTE FUNCTION enforcement_move_policy_epoch();
""" + "\n".join(
    f"""CREATE TRIGGER move_policy_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT
    EXECUTE FUNCTION enforcement_move_policy_epoch();"""
    for table in _CATALOG
)

_DOWN = (
    "\n".join(f"DROP TRIGGER move_policy_epoch ON {table};" for table in (*_CATALOG, "directives_directive"))
    + """
DROP TRIGGER move_policy_epoch_insert ON directives_directive;
DROP FUNCTION enforcement_move_policy_epoch();
DROP SEQUENCE enforcement_policy_epoch;
DELETE FROM enforcement_policyepoch;
"""
)


class Migration(migrations.Migration):
    dependencies = [("enforcement", "0001_initial"), ("catalog", "0001_initial"), ("directives", "0001_initial")]
    operations = [migrations.RunSQL(_UP, _DOWN)]
