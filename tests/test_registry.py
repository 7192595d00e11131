"""Which adapters are installed, and what stops the start (connector.registry).

Each test installs little distributions into a folder of its own and asks a fresh process about them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector.registry import Registry, RegistryError

ROOT = Path(__file__).parent.parent

GOOD = """
from connector.adapter import Adapter, Settings
class Desk(Adapter):
    settings_type = Settings
    def deliver(self, notice): ...
    def preview(self, notice): ...
    def check(self): return ()
"""

ASK = """
import json, sys
from connector.registry import Registry, RegistryError
registry, told = Registry(), {}
for name in sys.argv[2:]:
    try:
        told[name] = registry.adapter_class(name).__qualname__
    except RegistryError as error:
        told[name] = str(error)
described = [registry.describe(name) for name in registry.names()]
answer = {
    "told": told, "names": registry.names(), "modules": [each for each in sys.modules if each.startswith("trial_")],
    "described": {each.name: [each.distribution, each.version, each.entry_point, each.loaded, each.rivals]
                  for each in described},
}
with open(sys.argv[1], "w") as file:
    json.dump(answer, file)
"""


def install(folder: Path, distribution: str, entry_points: dict[str, str], modules: dict[str, str]) -> None:
    metadata = folder / f"{distribution.replace('-', '_')}-1.5.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
    lines = [f"{name} = {value}" for name, value in entry_points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[itsm_connector.adapters]", *lines, ""]))
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def ask(folder: Path, *names: str) -> dict[str, Any]:
    """What a fresh process with `folder` on its path says about the adapters of these names."""
    answer = folder / "answer.json"
    path = os.pathsep.join((str(folder), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(folder / "cache")}
    command = [sys.executable, "-W", "error", "-c", ASK, str(answer), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told: dict[str, Any] = json.loads(answer.read_text())
    return told


def test_a_named_adapter_is_loaded_and_no_other_imported(tmp_path: Path) -> None:
    """The named one comes with where it is from; a broken one that nobody named does no harm."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk"}, {"trial_desk": GOOD})
    install(tmp_path, "trial-broken", {"broken": "trial_broken:X"}, {"trial_broken": "raise SystemExit('no')"})
    answer = ask(tmp_path, "desk")
    assert answer["told"] == {"desk": "Desk"}
    assert answer["modules"] == ["trial_desk"]
    assert answer["described"]["desk"] == ["trial-desk", "1.5", "trial_desk:Desk", True, []]
    assert answer["described"]["broken"] == ["trial-broken", "1.5", "trial_broken:X", False, []]


def test_a_name_that_is_not_installed(tmp_path: Path) -> None:
    """The message lists the names there are and the nearest one."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk"}, {"trial_desk": GOOD})
    answer = ask(tmp_path, "dsk")
    assert answer["told"]["dsk"].startswith("no adapter 'dsk' is installed; there are: desk, ")
    assert answer["told"]["dsk"].endswith('; did you mean "desk"?')
    assert answer["names"] == sorted(answer["names"])


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        ("import a_library_that_is_not_here", "ModuleNotFoundError: No module named 'a_library_that_is_not_here'"),
        ("raise RuntimeError('first\\nsecond')", "RuntimeError: first"),
        ("assert False, 'untrue'", "AssertionError: untrue"),
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("class Other: ...", "AttributeError: module 'trial_desk' has no attribute 'Desk'"),
        ("def broken(:", "SyntaxError: invalid syntax (trial_desk.py, line 1)"),
    ],
)
def test_a_broken_adapter(tmp_path: Path, module: str, cause: str) -> None:
    """Whatever its import raises becomes one error with the distribution and the cause."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk"}, {"trial_desk": module})
    told = ask(tmp_path, "desk")["told"]["desk"]
    assert told == f"adapter 'desk' (trial_desk:Desk, from trial-desk 1.5) cannot be imported: {cause}"


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    """An entry point that belongs to an extra says which one brings its library."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk [pager]"}, {"trial_desk": "import not_here_at_all"})
    assert ask(tmp_path, "desk")["told"]["desk"].endswith('; is it installed with its extra "pager"?')


def test_a_name_that_two_distributions_use(tmp_path: Path) -> None:
    """Neither of the two is taken, not even imported, and both are named."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk"}, {"trial_desk": GOOD})
    install(tmp_path, "trial-rival", {"desk": "trial_rival:Desk"}, {"trial_rival": GOOD})
    answer = ask(tmp_path, "desk")
    both = "by trial-desk 1.5, trial-rival 1.5; uninstall all but one"
    assert answer["told"]["desk"] == f"adapter 'desk' is installed more than once: {both}"
    assert answer["modules"] == []
    assert answer["described"]["desk"][-1] == ["trial-rival 1.5"]


ABSTRACT = GOOD.replace("    def check(self): return ()\n", "")
UNFIT = [
    ("Desk = 3", "is not a subclass of connector.adapter.Adapter"),
    ("class Desk: ...", "is not a subclass of connector.adapter.Adapter"),
    (ABSTRACT, "lacks check"),
    (GOOD.replace("settings_type = Settings", ""), "has no settings_type"),
    (GOOD.replace("settings_type = Settings", "settings_type = dict"), "has no settings_type"),
]


@pytest.mark.parametrize(("module", "why"), UNFIT)
def test_what_is_no_adapter(tmp_path: Path, module: str, why: str) -> None:
    """An entry point that leads to something else is refused with its distribution and the reason."""
    install(tmp_path, "trial-desk", {"desk": "trial_desk:Desk"}, {"trial_desk": module})
    told = ask(tmp_path, "desk")["told"]["desk"]
    assert told.startswith(f"adapter 'desk' (trial_desk:Desk, from trial-desk 1.5) {why}")


def test_the_mock_adapter_is_installed() -> None:
    """The adapter that comes with the product is declared and fit."""
    registry = Registry()
    assert not registry.describe("mock").loaded
    assert registry.adapter_class("mock") is registry.adapter_class("mock")
    assert registry.describe("mock").loaded


def test_describing_what_is_not_there() -> None:
    """`describe` refuses an unknown name in the words of `adapter_class`."""
    with pytest.raises(RegistryError, match=r"there are: .*mock"):
        Registry().describe("fax")
