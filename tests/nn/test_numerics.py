from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from activesynth.errors import ConfigurationError
from activesynth.nn.numerics import fix_threads, numerics_profile


def run_python(code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_profile_names_library_versions_and_instructions() -> None:
    lines = dict(line.split("=", 1) for line in numerics_profile().splitlines())

    assert lines["library.numpy"] == version("numpy")
    assert lines["library.torch"] == version("torch")
    assert lines["library.faiss-cpu"] == version("faiss-cpu")
    assert len(lines["instructions"].split()) > 1


def test_the_profile_is_canonical_text() -> None:
    profile = numerics_profile()

    assert profile == numerics_profile()
    assert profile.splitlines() == sorted(profile.splitlines())


def test_the_profile_changes_with_the_thread_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = numerics_profile()
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    assert numerics_profile() != one


def test_the_profile_changes_with_a_forced_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    free = numerics_profile()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")

    assert numerics_profile() != free


def test_profile_and_threads_need_no_torch() -> None:
    code = (
        "import sys; from activesynth.nn.numerics import fix_threads, numerics_profile;"
        "fix_threads(1); numerics_profile(); print('torch' in sys.modules)"
    )

    assert run_python(code) == "False"


def test_torch_uses_the_fixed_threads_whether_it_is_loaded_later_or_earlier() -> None:
    code = (
        "from activesynth.nn.numerics import fix_threads; fix_threads(1);"
        "import torch; later = torch.get_num_threads();"
        "fix_threads(2); print(later, torch.get_num_threads())"
    )

    assert run_python(code) == "1 2"


def test_zero_threads_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="`threads` is 0; it must be at least 1"):
        fix_threads(0)
