"""What the README shows is what the command says."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"

VARIES = [
    (r"[0-9a-f]{32}", "ID"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d+ ms", "N ms"),
    (r"/[\w/.-]*/itsm-connector-demo-\w+", "FOLDER"),
]


def settled(text: str) -> str:
    """Return the text without what differs from run to run."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return text.strip()


def test_the_demo_output_is_real(tmp_path: Path) -> None:
    """`demo --once` prints what stands in the README, but for ids, ports and times."""
    shown = re.search(r"<!-- demo output -->\n```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    command = [sys.executable, "-m", "connector.cli", "demo", "--once"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=tmp_path).stdout
    assert settled(said) == settled(shown[1])


def test_the_links_lead_somewhere() -> None:
    """Every relative link of the README and of the documentation names a file that is there."""
    pages = [README, *README.parent.glob("*.md"), *README.parent.glob("docs/**/*.md")]
    missing = [
        f"{page.name}: {link}"
        for page in pages
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert missing == []
