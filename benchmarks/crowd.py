"""A large app: people with twenty attributes of every kind of JSON, an install and a token each."""

import psycopg

# every fifth has the golden plan and, whatever their plan, every second is older than 47
PEOPLE = """
INSERT INTO crm_user (app_id, uid, attributes, tags, first_active_at, last_active_at)
SELECT %(app)s, 'user-' || n, jsonb_build_object(
    'plan', (ARRAY['gold', 'free', 'basic', 'team', 'trial'])[1 + n %% 5],
    'age', 18 + r %% 60,
    'name', 'Person Number ' || n,
    'email', 'person-' || n || '@example.com',
    'city', 'City ' || r %% 500,
    'language', (ARRAY['en', 'de', 'fr', 'es', 'pt'])[1 + r %% 5],
    'balance', r %% 1000000 / 100.0,
    'rating', r %% 50 / 10.0,
    'visits', r %% 1000,
    'verified', r %% 3 = 0,
    'newsletter', r %% 2 = 0,
    'referrer', CASE WHEN r %% 4 = 0 THEN 'friend-' || r %% 10000 END,
    'signed_up', to_char(date '2020-01-01' + r %% 2000, 'YYYY-MM-DD'),
    'last_order', to_char(date '2024-01-01' + r %% 900, 'YYYY-MM-DD"T12:30:00Z"'),
    'birthday', to_char(date '1950-01-01' + r %% 20000, 'YYYY-MM-DD'),
    'interests', jsonb_build_array('news', 'topic-' || r %% 40, 'topic-' || n %% 37),
    'address', jsonb_build_object('street', r %% 900 || ' Long Street', 'zip', 10000 + r %% 80000),
    'orders', r %% 25,
    'store', 'store-' || r %% 300,
    'note', 'asked for a call back on day ' || r %% 365
  ), CASE WHEN r %% 10 = 0 THEN ARRAY['vip'] ELSE '{}' END,
  now() - interval '1 year', now() - r %% 90 * interval '1 day'
  FROM (SELECT n, hashint4(n) & 2147483647 AS r FROM generate_series(1, %(people)s) n) numbers
"""

INSTALLS = """
INSERT INTO crm_install (app_id, uid, user_id, os, os_version, app_version, timezone, locale)
SELECT app_id, 'install-' || id, id, 'iOS', '17.4', '3.' || id %% 30, 'Europe/Berlin', 'en-GB'
  FROM crm_user WHERE app_id = %(app)s
"""

TOKENS = """
INSERT INTO crm_devicetoken
       (app_id, install_id, transport, environment, topic, kind, value, state)
SELECT app_id, id, 'apns', 'production', 'com.example.app', 'token', md5(uid) || md5(id::text),
       'alive'
  FROM crm_install WHERE app_id = %(app)s
"""

GIN = (
    "SELECT indexname, indexdef FROM pg_indexes WHERE indexname IN ('user_attributes', 'user_tags')"
)

GOLDEN_AND_OLDER = """
SELECT count(*) FROM generate_series(1, %(people)s) n
 WHERE n %% 5 = 0 AND 18 + (hashint4(n) & 2147483647) %% 60 > 47
"""

RULE = {
    "version": 1,
    "where": {
        "all": [
            {"field": "attribute", "name": "plan", "op": "equals", "value": "gold"},
            {"field": "attribute", "name": "age", "op": "greater", "value": 47},
        ]
    },
}
"""True of a tenth of the crowd."""


def settle(database: psycopg.Connection, *, app: int, people: int) -> int:
    """Fill an app, and give of how many the rule is true, counted without looking at JSON."""
    facts = {"app": app, "people": people}
    indexes = database.execute(GIN).fetchall()
    for name, _ in indexes:
        database.execute(f"DROP INDEX {name}")  # built at the end, in a tenth of the time
    for made in (PEOPLE, INSTALLS, TOKENS):
        database.execute(made, facts)
    for _, definition in indexes:
        database.execute(definition)
    database.execute("VACUUM ANALYZE")
    [(golden,)] = database.execute(GOLDEN_AND_OLDER, facts).fetchall()
    return int(golden)
