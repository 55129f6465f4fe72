"""The wheel as it is published: what it compiles is compiled, and the tests of that pass on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ROOT

COMPILED = [
    Path(name).relative_to("src").with_suffix("").as_posix()
    for name in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    ["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]["include"]
]  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution as `make wheel` does, unpacked."""
    if shutil.which("cc") is None or not Path(sysconfig.get_path("include"), "Python.h").is_file():
        pytest.skip("no C compiler, or no headers of Python (Debian: apt-get install gcc python3-dev)")
    place = tmp_path_factory.mktemp("wheel")
    told = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_MYPYC": "1"}
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(ROOT)]
    done = subprocess.run(build, env=told, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def test_the_wheel_is_compiled_and_has_all_that_the_source_has(site: Path) -> None:
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert source - found == set()
    assert [name for name in COMPILED if not any(one.startswith(f"{name}.c") for one in found)] == []
    assert not list((ROOT / "src").rglob("*.so")), "a compiled module beside its source would hide every later edit"


def test_no_compiled_class_has_a_cached_property() -> None:
    """The compiler makes plain properties of them, which work everything out anew each time: such modules stay interpreted."""
    found = [name for name in COMPILED if "cached_property" in (ROOT / "src" / f"{name}.py").read_text("utf-8")]

    assert found == []


LANGUAGE = ["tests/soql", "tests/unit/test_ids_and_values.py", "tests/events/test_selection.py"]
REQUESTS = [
    "tests/cometd/test_endpoint.py", "tests/events/test_publishing.py", "tests/events/test_capture.py", "tests/events/test_kill.py",
    "tests/wire/test_rows.py", "tests/wire/test_resources.py", "tests/wire/test_bad_input.py", "tests/storage/test_alone.py",
    "tests/storage/test_database.py", "tests/records", "tests/composite/test_collections.py",
    # It puts a function of its own into an object, which compiled ones do not let anybody do.
    "--deselect=tests/wire/test_bad_input.py::test_an_error_of_ours_is_answered_without_its_text",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("tests", [LANGUAGE, REQUESTS], ids=["language", "requests"])
def test_the_tests_of_what_is_compiled_pass_on_it(site: Path, tests: list[str]) -> None:
    told = {**os.environ, "PYTHONPATH": str(site)}
    asked = "import landbridge.soql.front, sys; print(sys.modules['landbridge.soql.emit'].__file__)"
    where = subprocess.run([sys.executable, "-c", asked], env=told, capture_output=True, text=True, check=True)
    assert where.stdout.startswith(str(site))
    assert where.stdout.strip().endswith((".so", ".pyd"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]

    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False, timeout=600)

    assert done.returncode == 0, done.stdout[-4000:]
