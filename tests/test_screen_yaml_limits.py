"""Option files are judged before anything expands them."""

import subprocess
import sys
from pathlib import Path

import pytest

from screen.errors import Refusal
from screen.yaml_limits import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, check_options

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in ("ab", "bc", "cd", "de", "ef")
)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        (BOMB, "CFG_FILE_LIMIT", f"more than {MAX_ALIASES} aliases"),
        ("a: " + "[" * (MAX_DEPTH + 1), "CFG_FILE_LIMIT", f"{MAX_DEPTH} levels"),
        ("#" * (MAX_BYTES + 1), "CFG_FILE_LIMIT", "256,001 bytes"),
        ("a: [1", "CFG_FILE_INVALID", "correct the file"),
        ("a: 1\n\tb: 2", "CFG_FILE_INVALID", "mine.yaml"),
    ],
    ids=["aliases", "depth", "size", "unclosed", "tab"],
)
def test_H04_a_file_beyond_the_limits_is_refused(
    tmp_path: Path, text: str, code: str, part: str
) -> None:
    with pytest.raises(Refusal, match=part) as refused:
        check_options([written(tmp_path, text)])
    assert refused.value.problems[0].code == code
    assert refused.value.code == 2


def test_a_short_list_of_values_passes(tmp_path: Path) -> None:
    check_options([written(tmp_path, "a: &a 1\nb: *a\nc: [1, {d: 2}]\n")])


def test_H04_a_bomb_among_the_options_ends_the_verb_at_once(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    code = (
        "import shutil, sys, screen.paths, screen.compose, screen.keys\n"
        f"shutil.copytree(screen.paths.conf_dir(), {str(conf)!r})\n"
        f"open({str(conf / 'finder' / 'mine.yaml')!r}, 'w').write({BOMB!r})\n"
        "from pathlib import Path\n"
        "for m in (screen.paths, screen.compose, screen.keys):\n"
        f"    m.conf_dir = lambda: Path({str(conf)!r})\n"
        "from screen.__main__ import main\n"
        "sys.exit(main(['train', 'campaign=x', 'finder=mine', '--cfg', 'job']))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("CFG_FILE_LIMIT")
    assert "Traceback" not in ended.stderr
