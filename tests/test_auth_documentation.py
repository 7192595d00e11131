"""The page on authentication says what the code does (docs/authentication.md)."""

import re
from pathlib import Path

from connector.auth import CLOUDS, REFUSALS

PAGE = (Path(__file__).parent.parent / "docs" / "authentication.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_the_page_lists_every_code_with_its_status_and_sentence() -> None:
    """Its table and the table in the code are the same, in the same order."""
    rows = [(code, int(status), sentence) for code, status, sentence, _ in ROW.findall(PAGE)]
    assert rows == [(code, kind.status, kind.sentence) for code, kind in REFUSALS.items()]


def test_every_code_says_what_to_do() -> None:
    """A row that only repeats the sentence helps nobody."""
    assert all(len(advice) > 20 and advice != sentence for _, _, sentence, advice in ROW.findall(PAGE))


def test_the_page_names_every_clouds_authority_and_caller() -> None:
    """A wrong digit in an application id would lock everybody out."""
    for name, cloud in CLOUDS.items():
        caller = f"`{cloud.caller}`" if cloud.caller else "must be set"
        assert f"| `{name}` | `{cloud.authority}` | {caller} |" in PAGE
