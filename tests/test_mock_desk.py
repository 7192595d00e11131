"""Where the mock keeps its desk: a file people edit, shared by processes and threads, or a server."""

import json
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from adapters.mock.desk import FileDesk, HttpDesk, MemoryDesk
from adapters.mock.server import DeskServer
from connector.adapter import DeliveryError, Reason

ADD_MANY = """
import sys
import time
from pathlib import Path
from adapters.mock.desk import FileDesk
desk = FileDesk(Path(sys.argv[1]))
for count in range(int(sys.argv[2])):
    made = desk.add({"correlation": f"{sys.argv[3]}-{count}", "notes": []})
    desk.change(made["id"], {"state": "resolved"}, {"text": "done"})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "desk.json"


@pytest.fixture
def desk(path: Path) -> Iterator[FileDesk]:
    opened = FileDesk(path)
    yield opened
    opened.close()


@contextmanager
def fails(reason: Reason) -> Iterator[None]:
    with pytest.raises(DeliveryError) as caught:
        yield
    assert caught.value.reason is reason
    assert not caught.value.maybe_done


def titles(path: Path) -> list[str]:
    return [each["title"] for each in json.loads(path.read_text(encoding="utf-8"))["work_items"]]


def test_the_file_is_for_people(desk: FileDesk, path: Path) -> None:
    """Indented, in plain letters, one object per item; only its owner may read it."""
    made = desk.add({"title": "Zürich – zu wenig CPU"})
    text = path.read_text(encoding="utf-8")
    assert '\n      "title": "Zürich – zu wenig CPU"' in text
    assert json.loads(text) == {"work_items": [made | {"notes": []}]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_numbers_count_up_and_ids_do_not_repeat(desk: FileDesk, path: Path) -> None:
    """After the file was removed numbers begin anew, but an id of before names nothing."""
    first, second = desk.add({"title": "a"}), desk.add({"title": "b"})
    path.unlink()
    again = desk.add({"title": "c"})
    assert [first["number"], second["number"], again["number"]] == ["MOCK0001", "MOCK0002", "MOCK0001"]
    assert desk.get(first["id"]) is None


def test_a_persons_edit_is_seen_and_kept(desk: FileDesk, path: Path) -> None:
    """Also fields and members that the mock knows nothing of."""
    made = desk.add({"title": "a", "state": "open"})
    document = json.loads(path.read_text(encoding="utf-8"))
    document["work_items"][0] |= {"state": "closed", "owner": "me"}
    path.write_text(json.dumps({"about": "our desk"} | document), encoding="utf-8")
    assert (desk.get(made["id"]) or {})["state"] == "closed"
    desk.change(made["id"], {"severity": "Sev1"}, {"text": "x"})
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["about"] == "our desk"
    assert written["work_items"][0]["owner"] == "me"
    assert written["work_items"][0]["notes"] == [{"text": "x"}]


def test_half_a_surrogate_does_not_stop_the_desk(desk: FileDesk, path: Path) -> None:
    """What UTF-8 cannot hold is written as JSON's own escape and read back."""
    made = desk.add({"title": "\ud800"})
    assert titles(path) == ["\ud800"]
    desk.close()
    assert (desk.get(made["id"]) or {})["title"] == "\ud800"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"items": []}',
        '{"work_items": {"a": 1}}',
        '{"work_items": [1]}',
        '{"work_items": [{}]}',
        '{"work_items": [{"id": 1}]}',
        '{"work_items": [{"id": "a"}, {"id": "a"}]}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_a_file_that_is_no_desk_is_refused_and_left_alone(desk: FileDesk, path: Path, text: str) -> None:
    """The message names the file; nothing is written over what a person may want to mend."""
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    with fails(Reason.VENDOR_FAULT):
        desk.add({"title": "a"})
    with pytest.raises(DeliveryError, match=r"desk\.json is not a desk file"):
        desk.search()
    assert path.read_text(encoding="utf-8") == text


def test_a_mended_file_is_taken_up_again(desk: FileDesk, path: Path) -> None:
    """The refusal ends with its cause, without a restart."""
    desk.add({"title": "a"})
    good = path.read_text(encoding="utf-8")
    path.write_text(good[:-5], encoding="utf-8")
    with fails(Reason.VENDOR_FAULT):
        desk.search()
    path.write_text(good, encoding="utf-8")
    assert [each["title"] for each in desk.search()] == ["a"]


def test_a_place_that_cannot_be_written_is_a_delivery_error(tmp_path: Path) -> None:
    """A file where a folder is needed, or a folder where the file is: said, not raised through."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file" / "desk.json", tmp_path):
        with fails(Reason.VENDOR_FAULT):
            FileDesk(path).add({"title": "a"})


def test_changing_what_is_not_there_changes_nothing(desk: FileDesk) -> None:
    """A deleted item is not made anew by a note on it."""
    assert desk.change("gone", {"state": "open"}, {"text": "x"}) is None
    assert desk.search() == []


def test_what_is_returned_is_a_copy() -> None:
    """A caller that changes a record or its notes does not change the desk."""
    desk = MemoryDesk()
    made = desk.add({"title": "a", "notes": []})
    made["title"] = "b"
    made["notes"].append({"text": "x"})
    assert desk.search() == [made | {"title": "a", "notes": []}]


def test_processes_and_threads_lose_nothing_of_each_other(desk: FileDesk, path: Path) -> None:
    """Two processes and four threads, each with its own view of one file: every write is there."""
    processes = [
        subprocess.Popen([sys.executable, "-c", ADD_MANY, str(path), "20", f"process-{number}"]) for number in (1, 2)
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda count: desk.add({"correlation": f"thread-{count}", "state": "resolved"}), range(40)))
    assert [process.wait(60) for process in processes] == [0, 0]
    found = desk.search()
    assert len({each["correlation"] for each in found}) == len({each["number"] for each in found}) == 80
    assert {each["state"] for each in found} == {"resolved"}
    assert sum(len(each["notes"]) for each in found) == 40


def test_a_killed_writer_leaves_a_whole_file_and_no_lock(desk: FileDesk, path: Path) -> None:
    """Killed while it writes one item after the other, it leaves what it had last written; others go on."""
    with subprocess.Popen([sys.executable, "-c", ADD_MANY, str(path), "100000", "killed"]) as process:
        while len(desk.search()) < 5:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    left = len(desk.search())
    (path.parent / "desk.json.new").write_text("half a fi", encoding="utf-8")
    desk.add({"title": "after"})
    assert len(json.loads(path.read_text(encoding="utf-8"))["work_items"]) == left + 1
    assert sorted(each.name for each in path.parent.iterdir()) == ["desk.json", "desk.json.lock"]


def test_closing_twice_and_using_again_is_harmless(desk: FileDesk) -> None:
    """What comes after a close reads the file again."""
    desk.add({"title": "a"})
    desk.close()
    desk.close()
    assert [each["title"] for each in desk.search()] == ["a"]


# --- the desk as a process of its own -------------------------------------------------------------


def test_the_server_is_a_process_that_outlives_its_callers() -> None:
    """It prints its URL first; a second caller sees what the first one wrote; SIGTERM ends it well."""
    command = [sys.executable, "-m", "adapters.mock.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        first, second = HttpDesk(url), HttpDesk(url)
        made = first.add({"title": "a & b/c?", "correlation": "x y&z"})
        first.close()
        assert second.search("x y&z") == [made]
        assert second.search("other") == []
        assert second.change(made["id"], {"state": "closed"}, {"text": "n"}) == second.get(made["id"])
        assert second.change("no/such?", {}, None) is second.get("no/such?") is None
        second.close()
        process.terminate()
        assert process.wait(20) == 0


def test_a_server_that_is_gone_is_unreachable() -> None:
    """As with every vendor: a typed failure that is tried again."""
    server = DeskServer().start()
    desk = HttpDesk(server.url)
    desk.search()
    server.stop()
    desk.close()
    with pytest.raises(DeliveryError) as caught:
        desk.add({"title": "a"})
    assert caught.value.reason is Reason.UNREACHABLE
    desk.close()


def test_the_server_refuses_what_is_no_json_object() -> None:
    """A hand-made request that is wrong is told so, and the desk goes on."""
    server = DeskServer().start()
    answer = requests.post(f"{server.url}/work_items", data=b"[", timeout=10)
    unknown = requests.get(f"{server.url}/elsewhere", timeout=10)
    assert (answer.status_code, unknown.status_code) == (400, 404)
    assert requests.get(f"{server.url}/work_items", timeout=10).json() == {"work_items": []}
    server.stop()
