"""The Compose file as an operator gets it: what the schema, the engine and our own rules say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
INTERNAL = {"execution", "broker", "data", "objects"}


def secrets_of(name: str) -> set[str]:
    given = SERVICES[name].get("secrets", [])
    return {entry if isinstance(entry, str) else entry["source"] for entry in given}


def has_compose() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True)
    return asked.returncode == 0


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_the_file_fits_the_schema() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run(
        [tool("hadolint"), str(ROOT / "docker" / "Dockerfile")], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not has_compose(), reason="needs docker with the compose plugin")
@pytest.mark.parametrize("profiles", ["", "gpu", "gpu,cli,metrics,events"])
def test_compose_takes_the_file(profiles: str) -> None:
    environment = {**os.environ, "COMPOSE_PROFILES": profiles}
    done = subprocess.run(
        ["docker", "compose", "--file", str(FILE), "config", "--quiet"],
        capture_output=True,
        text=True,
        env=environment,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert service["tmpfs"]
    assert not service.get("privileged")
    assert service.get("network_mode") is None
    assert set(service.get("cap_add", [])) <= (
        {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"} if name == "postgres" else set()
    )


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_and_can_be_replaced(name: str) -> None:
    image = SERVICES[name]["image"]
    variable, _, default = image.removeprefix("${").removesuffix("}").partition(":-")
    tag = default.rpartition(":")[2]

    assert image.startswith("${")
    assert variable.isupper()
    assert re.search(r"\d+\.\d+|RELEASE\.\d{4}-\d\d-\d\dT", tag), "a tag that moves"


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name].get("healthcheck", {})

    assert bool(check.get("test")) is (name not in ("init", "cli", "collector", "eraser"))
    for on in SERVICES[name].get("depends_on", {}).values():
        assert on["condition"] in ("service_healthy", "service_completed_successfully")


def test_ports_are_published_on_loopback_and_by_two_parts_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert sorted(published) == ["api-server", "metrics"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_nothing_holds_the_engine_or_a_folder_of_the_host_that_it_could_change() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert "docker.sock" not in volume, name
            if source.startswith((".", "/", "$")):
                assert volume.endswith(":ro"), f"{name}: {volume}"


def test_only_what_is_asked_from_outside_or_sends_there_is_on_a_network_that_leads_out() -> None:
    networks = yaml.safe_load(FILE.read_text())["networks"]

    assert {name for name, told in networks.items() if told.get("internal")} == INTERNAL
    leading_out = [name for name, told in SERVICES.items() if "front" in told["networks"]]
    assert leading_out == ["api-server", "metrics", "events"]
    assert secrets_of("metrics") == {"activesynth_reader_database_url"}
    assert secrets_of("events") == {"activesynth_database_url"}


def test_no_password_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|_KEY|CONN|BROKER|BACKEND", variable):
                assert re.fullmatch(r"(cat )?/run/secrets(/\w+)?|", str(value)), (
                    f"{name}: {variable}"
                )
            assert not re.search(r"://[^/$]*@", str(value)), f"{name}: {variable}"


def test_a_part_is_given_the_secrets_it_needs_and_no_other() -> None:
    workers = ("worker", "worker-gpu", "cli")
    for name in workers:
        assert not secrets_of(name) & {
            "airflow_database_url",
            "activesynth_owner_database_url",
            "jwt_secret",
            "fernet_key",
            "postgres_password",
            "s3_admin_secret_key",
            "s3_collector_secret_key",
        }, name
    ours = {secret for secret in secrets_of("api-server") if secret.startswith(("s3_", "active"))}
    assert ours == {"activesynth_database_url", "s3_web_access_key", "s3_web_secret_key"}
    for name in ("scheduler", "dag-processor", "triggerer"):
        assert not [
            secret for secret in secrets_of(name) if secret.startswith(("s3_", "activesynth"))
        ]
    signing = {name for name in SERVICES if "jwt_secret" in secrets_of(name)}
    assert signing == {"init", "api-server", "scheduler"}
    deleting = {name for name in SERVICES if "s3_collector_secret_key" in secrets_of(name)}
    assert deleting == {"init", "collector", "eraser"}


def test_every_secret_is_made_by_the_script_and_by_nothing_else(tmp_path: Path) -> None:
    named = set(yaml.safe_load(FILE.read_text())["secrets"])
    script = [sys.executable, str(ROOT / "docker" / "make_secrets.py"), str(tmp_path / "secrets")]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run(script, check=True, capture_output=True)
    again = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    assert named <= set(made)
    assert set(made) - named <= {"redis_password"}
    assert made == again
    assert all(text == text.strip() and text for text in made.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    passwords = [text for name, text in made.items() if name.endswith(("password", "secret_key"))]
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) >= 24


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_a_lock_file_pins_every_distribution_by_version_and_digest(lock: str) -> None:
    text = (ROOT / "docker" / lock).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert len(lines) > 200
    for line in lines:
        requirement, _, digests = line.partition(" ")
        assert "==" in requirement, line[:80]
        assert "--hash=sha256:" in digests, requirement


def pins(path: Path) -> dict[str, str]:
    lines = (line.partition(" ")[0] for line in path.read_text().splitlines())
    found = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {name.partition("[")[0].lower().replace("_", "-"): version for name, version in found}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_containers_run_the_versions_that_the_tests_run(lock: str) -> None:
    locked = pins(ROOT / "docker" / lock)
    tested = pins(ROOT / "constraints.txt")
    wanted = pins(ROOT / "requirements.txt") | pins(ROOT / "requirements-generators.txt")
    elsewhere = pins(ROOT / "docker" / "overrides.txt")
    gpu = {"faiss-cpu"} if lock == "requirements-gpu.lock" else set()

    assert set(wanted) - gpu <= set(locked)
    for name in (set(locked) & set(tested)) - set(elsewhere):
        assert locked[name].partition("+")[0] == tested[name], name


def test_the_gpu_image_has_cuda_and_the_other_one_has_not() -> None:
    cpu, gpu = (pins(ROOT / "docker" / f"requirements{kind}.lock") for kind in ("", "-gpu"))

    assert cpu["torch"].endswith("+cpu")
    assert not [name for name in cpu if name.startswith("nvidia")]
    assert [name for name in gpu if name.startswith("nvidia-cudnn")]
    assert "faiss-gpu" in gpu
    assert "faiss-cpu" not in gpu
