import os
import shutil
import stat

import psycopg
import pytest
import redis

from devstack import privileges
from devstack.errors import AlreadyRunning, StackError
from devstack.place import Place
from devstack.reset import reset
from devstack.services import outside_home, run_dir_of

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has accounts to choose from")


def answer(url, query):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchone()


def test_both_engines_keep_their_data_from_one_start_to_the_next(services, lived_in):
    first = services(lived_in)
    urls = first.start()
    with psycopg.connect(urls.database_url) as connection:
        connection.execute("create table kept as select 41 + 1 as answer")
    with redis.Redis.from_url(urls.redis_url) as client:
        client.delete("urgent")
        client.rpush("urgent", "ring")
    first.stop()
    assert not run_dir_of(lived_in).exists()

    again = services(lived_in).start()
    assert again == urls
    assert answer(again.database_url, "select answer from kept") == (42,)
    with redis.Redis.from_url(again.redis_url) as client:
        assert client.lrange("urgent", 0, -1) == [b"ring"]
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_ephemeral_engines_skip_the_disk_and_take_their_folder_with_them(services, base):
    ephemeral = services(base, ephemeral=True, environ={"REDIS_URL": "redis://elsewhere"})
    urls = ephemeral.start()
    assert urls.redis_url == "redis://elsewhere"
    assert ephemeral.valkey is None
    assert answer(urls.database_url, "show fsync") == ("off",)
    ephemeral.stop()
    assert not base.exists()


def test_somebody_elses_database_switches_ours_off(services, base):
    half = services(base, ephemeral=True, environ={"DATABASE_URL": "postgresql://elsewhere/db"})
    urls = half.start()
    assert urls.database_url == "postgresql://elsewhere/db"
    assert half.postgres is None
    with redis.Redis.from_url(urls.redis_url) as client:
        assert client.ping()


def test_a_second_start_and_a_reset_in_the_same_place_are_refused(services, lived_in):
    services(lived_in).start()
    with pytest.raises(AlreadyRunning) as refusal:
        services(lived_in).start()
    assert refusal.value.pid == os.getpid()
    assert str(refusal.value) == f"already running here (pid {os.getpid()})"
    with pytest.raises(AlreadyRunning):
        reset(Place(lived_in))
    assert (lived_in / "pg" / "PG_VERSION").is_file()


def test_a_long_path_with_a_space_and_half_an_initdb_is_no_obstacle(services, tmp_path):
    place = tmp_path / ("a folder " + "x" * 120)
    (place / "pg.tmp").mkdir(parents=True)
    (place / "pg.tmp" / "PG_VERSION").write_text("18\n")
    urls = services(place, ephemeral=True).start()
    assert answer(urls.database_url, "select 1") == (1,)


@as_root
@pytest.mark.parametrize(
    "account", [privileges.NAMESPACE, privileges.nobody()], ids=lambda a: a.name
)
def test_root_opens_no_closed_folder_whichever_account_runs_postgres(services, tmp_path, account):
    if not account.can_run(["true"]):
        pytest.skip("this machine does not allow it")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    place = closed / ".dev"
    one = services(place, account=account)
    urls = one.start()
    assert answer(urls.database_url, "select current_user::text") == ("gateway",)
    owner = (one.postgres.data / "PG_VERSION").stat().st_uid
    assert owner == (account.uid or 0)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert (one.postgres.data.parent == outside_home(place)) == (account.uid is not None)
    one.stop()
    assert "dropped" in reset(Place(place))
    assert not place.exists()
    assert not outside_home(place).exists()


@as_root
def test_a_cluster_changes_hands_when_the_account_does(services, lived_in):
    if not privileges.NAMESPACE.can_run(["true"]):
        pytest.skip("this machine allows no user namespace")
    shutil.chown(lived_in / "pg", user="nobody")
    assert services(lived_in, account=privileges.NAMESPACE).start().database_url
    assert (lived_in / "pg").stat().st_uid == 0


def test_a_cluster_of_another_major_version_is_not_touched(services, lived_in):
    version = lived_in / "pg" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9\n")
    try:
        with pytest.raises(StackError, match=r"belongs to Postgres 9, .* run `make reset`"):
            services(lived_in).start()
    finally:
        version.write_text(kept)


def test_a_folder_planted_in_the_shared_place_is_refused(services, base, tmp_path):
    run_dir_of(base).symlink_to(tmp_path)
    try:
        with pytest.raises(StackError, match="belongs to somebody else"):
            services(base).start()
    finally:
        run_dir_of(base).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("name", "hint"), [("PG_BIN", "PG_BIN holds no postgres"), ("REDIS_BIN", "REDIS_BIN is not")]
)
def test_a_wrong_program_folder_is_named(services, base, monkeypatch, name, hint):
    monkeypatch.setenv(name, str(base))
    with pytest.raises(StackError, match=hint):
        services(base).start()
