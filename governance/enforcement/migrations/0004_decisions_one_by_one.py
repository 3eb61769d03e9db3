"""Tokens move the policy epoch, and recorded decisions can be read one by one.

Tokens are part of the compiled policy, so that the decision API needs no query for them.
"""

from django.db import migrations

_UP = """
CREATE TRIGGER move_policy_epoch AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON accounts_apitoken FOR EACH STATEMENT
    EXECUTE FUNCTION enforcement_move_policy_epoch();
CREATE VIEW enforcement_decision AS
SELECT (a->>0)::uuid AS id, (a->>1)::bigint AS token_id, a->>2 AS person_id, a->>3 AS model, a->>4 AS capability,
       (a->>5)::boolean AS permit, a->>6 AS code, ARRAY(SELECT json_array_elements_text(a->7)) AS directives,
       (a->>8)::bigint AS policy_epoch, (a->>9)::timestamptz AS evaluated_at, a->>10 AS snapshot, a->>11 AS request_id,
       b.id AS batch_id, b.first_id, b.last_id
  FROM enforcement_decisionbatch b, json_array_elements(b.answers::json) a;
"""
_DOWN = "DROP VIEW enforcement_decision; DROP TRIGGER move_policy_epoch ON accounts_apitoken;"


class Migration(migrations.Migration):
    dependencies = [("enforcement", "0003_decisions_recorded"), ("accounts", "0001_initial")]
    operations = [migrations.RunSQL(_UP, _DOWN)]
