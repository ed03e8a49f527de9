"""What production is started from is valid, hardened, and says the same everywhere."""

import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose
from django.conf import settings

from devstack.place import ROOT
from tests.production import files

BIN = Path(sys.executable).parent
OURS = re.compile(r"^(GATEWAY_|SECRET_KEY|DATABASE_|REDIS_)")


def known_settings():
    text = (ROOT / "gateway" / "settings.py").read_text() + (ROOT / "gateway/env.py").read_text()
    return set(re.findall(r'"((?:GATEWAY_|SECRET_|DATABASE_|REDIS_)[A-Z_]+)"', text))


# -- valid


def test_the_compose_file_keeps_to_its_specification():
    text = (files.DOCKER / "compose.yaml").read_text()
    merged = yaml.safe_dump(files.compose(), sort_keys=False)
    assert "${" in text
    assert set(files.ROLES) <= set(PyCompose.from_yaml(merged).to_dict()["services"])


def test_a_compose_file_with_a_wrong_key_would_not_pass():
    spoilt = files.compose()
    spoilt["services"]["web"]["restrat"] = "always"
    with pytest.raises(Exception, match="restrat"):
        PyCompose.from_yaml(yaml.safe_dump(spoilt))


def test_what_compose_names_is_there():
    found = files.compose()
    for service in found["services"].values():
        assert set(service.get("secrets", [])) <= set(found["secrets"])
        assert set(service.get("networks", [])) <= set(found["networks"])
        assert set(service.get("depends_on", [])) <= set(found["services"])


@pytest.mark.parametrize(
    "words",
    [
        ["hadolint", "docker/Dockerfile"],
        ["shellcheck", "docker/secrets.sh", "docker/backup.sh", "docker/restore.sh", ".ci/run"],
    ],
    ids=["hadolint", "shellcheck"],
)
def test_linters_have_nothing_to_object(words):
    done = subprocess.run(
        [BIN / words[0], *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_kubernetes_object_keeps_to_its_schema():
    found = list(files.manifests())
    for _, manifest in found:
        kubernetes_validate.validate(manifest, "1.37", strict=True)
    kinds = {manifest["kind"] for _, manifest in found}
    assert {"Deployment", "Job", "Service", "Ingress", "NetworkPolicy"} <= kinds
    assert {"PodDisruptionBudget", "HorizontalPodAutoscaler", "ConfigMap"} <= kinds


def test_a_kubernetes_object_with_a_wrong_key_would_not_pass():
    _, manifest = next(files.manifests())
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**manifest, "dtaa": {}}, "1.37", strict=True)


def test_the_kustomization_has_every_file():
    kustomization = yaml.safe_load((files.DOCKER / "kubernetes/kustomization.yaml").read_text())
    assert set(kustomization["resources"]) == {name for name, _ in files.manifests()}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_it():
    done = subprocess.run(
        ["kubectl", "kustomize", files.DOCKER / "kubernetes"],
        capture_output=True,
        text=True,
        check=True,
    )
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len(list(files.manifests()))
    for manifest in built:
        kubernetes_validate.validate(manifest, "1.37", strict=True)


@pytest.fixture
def installed(tmp_path):
    """Give a file system root in which the units are installed, as far as systemd looks."""
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for path in (files.DOCKER / "systemd").glob("push-gateway*"):
        shutil.copy(path, units)
    shutil.copytree("/lib/systemd/system", tmp_path / "lib/systemd/system", symlinks=True)
    programs = tmp_path / "opt/push-gateway/venv/bin"
    programs.mkdir(parents=True)
    for name in ("python", "granian", "celery"):
        (programs / name).touch(mode=0o755)
    return tmp_path


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None or not Path("/lib/systemd/system").is_dir(),
    reason="systemd-analyze is not installed",
)


@needs_systemd
@pytest.mark.parametrize(
    "unit", [f"{role}.service" for role in ("web", "worker@1", "worker-urgent", "tick", "migrate")]
)
def test_systemd_understands_every_line(installed, unit):
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"--root={installed}", f"push-gateway-{unit}"],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "push-gateway" in line]
    assert complaints == []


@needs_systemd
@pytest.mark.parametrize("path", sorted((files.DOCKER / "systemd").glob("*.service")))
def test_a_unit_exposes_little(path):
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:]


# -- the same everywhere


@pytest.mark.parametrize("role", files.ROLES)
def test_a_role_runs_the_same_command_everywhere(role):
    commands = {
        "compose": files.compose_commands()[role],
        "kubernetes": files.kubernetes_commands()[role],
        "systemd": files.systemd_commands()[role],
    }
    assert len({tuple(files.essence(command)) for command in commands.values()}) == 1, commands


def test_every_setting_named_is_one_the_gateway_reads():
    named = set(files.image_environment())
    for service in files.compose()["services"].values():
        if str(service.get("image", "")).startswith("push-gateway"):
            named |= set(service.get("environment", {}))
    for _, manifest in files.manifests():
        named |= set(manifest["data"]) if manifest["kind"] == "ConfigMap" else set()
    for unit in files.units().values():
        pairs = [pair for line in unit["Environment"] for pair in line.split()]
        named |= {pair.partition("=")[0] for pair in pairs}
    example = (files.DOCKER / "systemd/environment.example").read_text()
    named |= set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
    ours = {name for name in files.names_set(dict.fromkeys(named)) if OURS.match(name)}
    assert ours <= known_settings()
    assert {"SECRET_KEY", "GATEWAY_SEALING_KEYS", "REDIS_URL"} <= ours


def test_no_secret_is_in_an_environment():
    secret = {"SECRET_KEY", "GATEWAY_SEALING_KEYS", "DATABASE_PASSWORD", "REDIS_URL"}
    for service in files.compose()["services"].values():
        assert not secret & set(service.get("environment", {}))
    for _, manifest in files.manifests():
        assert manifest["kind"] != "Secret"
        assert not secret & set(manifest.get("data", {}))
    for unit in files.units().values():
        assert not any(f"{name}=" in line for line in unit["Environment"] for name in secret)


def test_the_version_is_one():
    text = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"', text, re.MULTILINE)[1]
    assert f"ARG VERSION={version}\n" in (files.DOCKER / "Dockerfile").read_text()
    assert f"push-gateway:{version}" in str(files.compose())
    assert f"newTag: {version}" in (files.DOCKER / "kubernetes/kustomization.yaml").read_text()
    assert settings.SPECTACULAR_SETTINGS["VERSION"] == version


# -- hardened, and patient where it must be


def test_containers_are_nobody_and_write_nothing():
    [user] = [rest for word, rest in files.dockerfile() if word == "USER"]
    assert int(user.partition(":")[0]) >= 1000
    for role in files.ROLES:
        service = files.compose()["services"][role]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["deploy"]["resources"]["limits"]["memory"]
        pod = files.pods()[role]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("role", ["worker", "worker-urgent"])
def test_a_worker_is_given_the_time_its_longest_task_may_take(role):
    longest = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
    stops = {
        "compose": int(files.compose()["services"][role]["stop_grace_period"].rstrip("s")),
        "kubernetes": files.pods()[role]["terminationGracePeriodSeconds"],
        "systemd": int(files.units()[role]["TimeoutStopSec"][0]),
    }
    for place, seconds in stops.items():
        assert timedelta(seconds=seconds) > longest, place
    assert files.units()[role]["KillMode"] == ["mixed"]  # its children must not be signalled


def test_a_broadcast_takes_what_is_left_of_the_cores():
    """Of the usual share: 1024 of a container, 100 of a unit."""
    services, units = files.compose()["services"], files.units()
    assert int(services["worker"]["cpu_shares"]) < 1024
    assert int(units["worker"]["CPUWeight"][0]) < 100
    for role in ("web", "worker-urgent", "tick"):
        assert "cpu_shares" not in services[role]
        assert "CPUWeight" not in units[role]


def test_web_is_given_the_time_its_requests_may_take():
    command = files.image_command()
    drain = int(command[command.index("--workers-kill-timeout") + 1])
    assert timedelta(seconds=drain) > settings.DATABASE_PATIENCE
    pod = files.pods()["web"]
    leaving = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    stop = files.compose()["services"]["web"]["stop_grace_period"]
    assert pod["terminationGracePeriodSeconds"] > leaving + drain
    assert int(stop.rstrip("s")) > drain
    assert int(files.units()["web"]["TimeoutStopSec"][0]) > drain


def test_probes_ask_what_the_gateway_answers(db, client):
    [container] = files.pods()["web"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        path = container[probe]["httpGet"]["path"]
        assert client.get(path, headers={"Host": "10.1.2.3"}).status_code == 200, path


def test_proxies_let_through_what_the_gateway_refuses_itself():
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    conf = (files.DOCKER / "nginx/gateway.conf").read_text()
    assert int(re.search(r"client_max_body_size (\d+)m;", conf)[1]) << 20 > most
    [ingress] = [found for _, found in files.manifests() if found["kind"] == "Ingress"]
    size = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"]
    assert int(size.rstrip("m")) << 20 > most


# -- secrets


def test_secrets_are_made_once_and_only_their_owner_gets_at_them(tmp_path):
    folder = tmp_path / "secrets"
    script = [files.DOCKER / "secrets.sh", folder]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run(script, check=True, capture_output=True)

    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    assert folder.stat().st_mode & 0o777 == 0o700
    own = {"secret_key", "sealing_keys", "database_password", "redis_url", "valkey_users"}
    assert set(made) == own
    assert own <= set(files.compose()["secrets"])
    assert all(len(made[name].strip()) == 48 for name in ("secret_key", "database_password"))
    password = re.search(r":([A-Za-z0-9]{48})@", made["redis_url"])[1]
    assert f">{password} " in made["valkey_users"]
    assert "docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
