"""The wheel: complete, and enough by itself in an environment that has nothing else."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PACKED = ("connector", "adapters", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.timeout(600)  # an index may be slow; nothing here waits for itself


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, away from the checkout; return what it printed."""
    away = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "ITSM_"))}
    done = subprocess.run(command, cwd=cwd, env=away, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is made of."""
    tree = tmp_path_factory.mktemp("tree")
    for name in PACKED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tree / "dist", cwd=tree)
    [built] = (tree / "dist").glob("*.whl")
    return built


def test_the_wheel_holds_what_is_no_python_too(wheel: Path) -> None:
    """Samples, migrations, the typing marker and the licence travel along; tests do not."""
    names = set(ZipFile(wheel).namelist())
    wanted = [ROOT / "connector" / "py.typed", *ROOT.glob("connector/testing/samples/*.json")]
    wanted += [path for path in ROOT.glob("connector/store/migrations/**/*.*") if path.suffix in (".py", ".mako")]
    assert {path.relative_to(ROOT).as_posix() for path in wanted} <= names
    assert any(name.endswith(".json") for name in names)
    assert any("/migrations/versions/0001" in name for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"connector", "adapters", "itsm_connector"}


def test_the_wheel_tells_its_story_from_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed beside nothing but its dependencies, the demonstration opens and resolves a work item."""
    venv.create(tmp_path / "environment", with_pip=True)
    programs = tmp_path / "environment" / "bin"
    run(programs / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path)
    story = run(programs / "itsm-connector", "demo", "--once", cwd=tmp_path)
    told = [line.split() for line in story.splitlines() if line.strip().startswith("work item")]
    assert [words[4] for words in told] == ["open", "resolved"]
    assert len({words[2] for words in told}) == 1
