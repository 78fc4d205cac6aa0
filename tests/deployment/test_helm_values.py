"""The values for the official Airflow chart: known keys, no secret, hardened, GPUs where said.

The chart itself is not rendered here; what it makes of the values is not tested.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HELM = ROOT / "docker" / "helm"
OVERLAYS = ("", "gpu-workers", "gpu-pods")
PARTS = ("apiServer", "scheduler", "dagProcessor", "triggerer", "migrateDatabaseJob")
SECRET = "activesynth-secrets"
CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((HELM / f"{name}.yaml").read_text())
    return values


def over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge as Helm does: maps key by key, anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        mine = merged.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict)
        merged[key] = over(mine, value) if both and mine is not None else value
    return merged


def values_of(overlay: str) -> dict[str, Any]:
    return over(read("values"), read(overlay)) if overlay else read("values")


def known_keys() -> set[str]:
    lines = (HELM / "chart-keys.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def paths(values: dict[str, Any], known: set[str], prefix: str = "") -> Iterator[str]:
    """Yield a path for each value, as deep as the known keys go."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if path not in known and isinstance(value, dict) and value:
            yield from paths(value, known, f"{path}.")
        else:
            yield path


def parts_of(overlay: str) -> dict[str, dict[str, Any]]:
    """Return what runs our images, by name, a set of workers as what it inherits and overrides."""
    values = values_of(overlay)
    workers = values["workers"]["celery"]
    parts = {name: values[name] for name in PARTS} | {"worker": workers}
    for worker_set in workers.get("sets", []):
        inherited = {key: value for key, value in workers.items() if key != "sets"}
        parts[f"worker-{worker_set['name']}"] = over(inherited, worker_set)
    return parts


def pod() -> dict[str, Any]:
    """Return the pod of a GPU task, with the release's name in it."""
    text = read("gpu-pods")["podTemplate"].replace("{{ .Release.Name }}", "activesynth")
    assert "{{" not in text
    made: dict[str, Any] = yaml.safe_load(text)
    return made


def mounted(part: dict[str, Any]) -> dict[str, str]:
    """Return the keys of the Secret that a part sees, by the name of the file."""
    volumes = part.get("extraVolumes") or part["spec"]["volumes"]
    secret = next(volume["secret"] for volume in volumes if volume["name"] == "secrets")
    assert secret["secretName"] == SECRET
    assert secret["defaultMode"] == 0o440
    return {item["path"]: item["key"] for item in secret["items"]}


def containers() -> list[tuple[str, list[dict[str, str]]]]:
    found = [
        (f"{overlay}:{name}", part.get("env", []))
        for overlay in OVERLAYS
        for name, part in parts_of(overlay).items()
    ]
    return [
        *found,
        ("every container", read("values")["env"]),
        ("pod", pod()["spec"]["containers"][0]["env"]),
    ]


def test_the_list_of_keys_names_the_version_of_the_chart_that_the_files_and_the_page_name() -> None:
    first = (HELM / "chart-keys.txt").read_text().splitlines()[0]
    version = re.search(r"chart (\d+\.\d+\.\d+)", first)
    assert version is not None
    page = (ROOT / "docs" / "how-to" / "deploy-on-a-cluster.md").read_text()

    for text in ((HELM / "values.yaml").read_text(), page):
        assert set(re.findall(r"--version (\S+)", text)) == {version.group(1)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_key_is_one_that_the_chart_documents(overlay: str) -> None:
    known = known_keys()
    values = read(overlay or "values")
    sets = values.get("workers", {}).get("celery", {}).get("sets", [])
    found = [
        *paths(values, known),
        *(
            path
            for worker_set in sets
            for path in paths(
                {key: value for key, value in worker_set.items() if key != "name"},
                known,
                "workers.celery.",
            )
        ),
    ]

    assert found
    assert set(found) <= known, set(found) - known


def test_no_secret_stands_in_a_file_or_a_variable() -> None:
    for path in HELM.glob("*.yaml"):
        assert not re.search(r"://[^/\s'\"]*@", path.read_text()), path
    for name, variables in containers():
        for variable in variables:
            if re.search("PASSWORD|SECRET|_KEY|CONN|BROKER|BACKEND", variable["name"]):
                value = variable["value"]
                assert re.fullmatch(r"(cat )?/run/secrets(/\w+)?|", value), (name, variable)
            assert "valueFrom" not in variable, (name, variable)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_chart_makes_no_secret_and_sets_no_variable_from_one(overlay: str) -> None:
    values = values_of(overlay)
    named = [values[key] for key in values if key.endswith("SecretName")]

    assert named == [SECRET] * 3
    assert set(values["data"].values()) == {SECRET}
    assert not any(values["enableBuiltInSecretEnvVars"].values())
    assert not values["createUserJob"]["enabled"]  # its password would stand in its arguments
    assert not values["postgresql"]["enabled"]


def test_a_part_sees_the_secrets_it_needs_and_no_other() -> None:
    for overlay in OVERLAYS:
        for name, part in parts_of(overlay).items():
            keys = set(mounted(part).values())
            if name.startswith("worker"):
                assert not keys & {"airflow_database_url", "jwt_secret", "fernet_key"}
            if name != "migrateDatabaseJob":
                assert not [key for key in keys if "admin" in key or "owner" in key]
            ours = {key for key in keys if key.startswith(("s3_", "activesynth"))}
            if name == "apiServer":
                web = {"s3_web_access_key", "s3_web_secret_key"}
                assert ours == {"activesynth_database_url", *web}
            elif not name.startswith(("worker", "migrate")):
                assert not ours
            if "jwt_secret" in keys:
                assert name in ("apiServer", "scheduler", "migrateDatabaseJob")
    assert set(mounted(pod())) == {
        "session_key",
        "activesynth_database_url",
        "activesynth_s3_access_key",
        "activesynth_s3_secret_key",
    }


def test_every_file_that_a_part_reads_is_mounted_for_it_and_made_by_the_script(
    tmp_path: Path,
) -> None:
    script = [sys.executable, str(ROOT / "docker" / "make_secrets.py"), str(tmp_path / "made")]
    subprocess.run(script, check=True, capture_output=True)
    made = {path.name for path in (tmp_path / "made").iterdir()}
    common = read("values")["env"]

    for overlay in OVERLAYS:
        for name, part in parts_of(overlay).items():
            read_files = {
                value.removeprefix("cat /run/secrets/")
                for value in (variable["value"] for variable in [*common, *part["env"]])
                if value.startswith("cat /run/secrets/")
            }
            files = mounted(part)
            assert read_files <= set(files), (overlay, name)
            assert set(files.values()) <= made, (overlay, name)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_container_is_hardened(overlay: str) -> None:
    values = values_of(overlay)
    pods = [values["securityContexts"]["pod"], values["redis"]["securityContexts"]["pod"]]
    held = [
        values["securityContexts"]["containers"],
        values["redis"]["securityContexts"]["container"],
    ]

    assert held == [CONTAINER, CONTAINER]
    assert [context["runAsUser"] for context in pods] == [50000, 999]
    for context in pods:
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for name, part in [*parts_of(overlay).items(), ("redis", values["redis"])]:
        assert "securityContexts" not in part or name == "redis"
        launches = overlay == "gpu-pods" and name == "scheduler"
        assert part["serviceAccount"]["automountServiceAccountToken"] is launches, name
        assert set(part["resources"]["limits"]) >= {"cpu", "memory"}, name
    assert values["allowPodLaunching"] is (overlay == "gpu-pods")
    assert values["networkPolicies"]["enabled"] is True


def test_the_pod_of_a_task_is_hardened() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    writable = {"emptyDir", "persistentVolumeClaim"}

    assert spec["securityContext"] == read("values")["securityContexts"]["pod"]
    assert container["securityContext"] == CONTAINER
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    assert spec["restartPolicy"] == "Never"
    kinds = {volume["name"]: next(iter(set(volume) - {"name"})) for volume in spec["volumes"]}
    assert set(kinds) == {mount["name"] for mount in container["volumeMounts"]}
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly") or kinds[mount["name"]] in writable, mount


def gpu_places() -> list[tuple[str, dict[str, Any]]]:
    spec = pod()["spec"]
    resources = spec["containers"][0]["resources"]
    return [
        ("worker set", parts_of("gpu-workers")["worker-gpu"]),
        ("pod", {**spec, "resources": resources, "env": spec["containers"][0]["env"]}),
    ]


@pytest.mark.parametrize(("name", "place"), gpu_places())
def test_what_serves_the_queue_gpu_holds_a_gpu_on_a_node_that_has_one(
    name: str, place: dict[str, Any]
) -> None:
    limits = place["resources"]["limits"]

    assert limits["nvidia.com/gpu"] == place["resources"]["requests"]["nvidia.com/gpu"] == "1"
    assert place["nodeSelector"], name
    assert [toleration["key"] for toleration in place["tolerations"]] == ["nvidia.com/gpu"]
    assert {"name": "ACTIVESYNTH_DEVICE", "value": "cuda"} in place["env"]


@pytest.mark.parametrize(
    ("overlay", "queues"),
    [
        ("", {"worker": "default,gpu"}),
        ("gpu-workers", {"worker": "default", "worker-gpu": "gpu"}),
        ("gpu-pods", {"worker": "default"}),
    ],
)
def test_each_queue_is_served_once(overlay: str, queues: dict[str, str]) -> None:
    workers = {name: part for name, part in parts_of(overlay).items() if "worker" in name}

    assert {name: part["queue"] for name, part in workers.items()} == queues
    for name, part in workers.items():
        assert part["args"][part["args"].index("--queues") + 1] == queues[name]


def test_a_set_keeps_what_its_workers_are_told_beside_the_device() -> None:
    workers = parts_of("gpu-workers")
    told = {variable["name"]: variable["value"] for variable in workers["worker"]["env"]}
    gpu = {variable["name"]: variable["value"] for variable in workers["worker-gpu"]["env"]}

    assert gpu == told | {"ACTIVESYNTH_DEVICE": "cuda"}


def test_images_are_ours_and_pinned_to_the_version_of_the_compose_file() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    images = {
        ":".join((image["repository"], image["tag"]))
        for overlay in OVERLAYS
        for image in values_of(overlay)["images"].values()
    } | {pod()["spec"]["containers"][0]["image"]}

    assert len(images) == 3
    for image in images:
        assert re.search(r":\d+\.\d+", image)
        assert image in compose, image


def test_the_version_of_airflow_is_that_of_the_images() -> None:
    pinned = (ROOT / "requirements.txt").read_text() + (ROOT / "constraints.txt").read_text()

    assert f"apache-airflow=={read('values')['airflowVersion']}" in pinned


def test_probes_run_what_is_in_our_image() -> None:
    for overlay in OVERLAYS:
        for name, part in parts_of(overlay).items():
            probes = [part[kind] for kind in ("livenessProbe", "startupProbe") if kind in part]
            for probe in probes:
                command = json.dumps(probe.get("command", []))
                assert "/entrypoint" not in command
                if name not in ("apiServer", "migrateDatabaseJob"):
                    assert probe["command"], name
    for name, part in parts_of("").items():
        sidecar = part.get("logGroomerSidecar")
        assert sidecar is None or sidecar["enabled"] is False, (
            name
        )  # it runs a file of Airflow's image
    assert (ROOT / "docker" / "bin" / "init.sh").is_file()
    assert read("values")["migrateDatabaseJob"]["args"] == ["/opt/activesynth/bin/init.sh"]
