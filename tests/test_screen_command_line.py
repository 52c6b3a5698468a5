"""The command line: verbs, help, refusals, sweeps, exit codes; run as a person would."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.problems import InputError, Problem
from screen.__main__ import main
from screen.command_line import parse
from screen.errors import Outcome, Refusal, refusal, worst
from screen.settings import VERBS
from screen.values import split_top

ROOT = Path(__file__).parents[1]
TRAIN = ["campaign=c"]


def _codes(verb: str, *words: str) -> list[str]:
    with pytest.raises(Refusal) as caught:
        parse(verb, words)
    assert caught.value.code == 2
    return [problem.code for problem in caught.value.problems]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The verb call replaced by one that only remembers its settings."""
    seen: list[Any] = []
    module = ModuleType("screen.call")

    def run(settings: Any) -> Outcome:
        seen.append(settings)
        return Outcome(0, "done")

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "screen.call", module)
    return seen


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("epoch=3", "CFG_KEY_UNKNOWN"),
        ("epochs", "CFG_NOT_KEY_VALUE"),
        ("--epochs=3", "CFG_NOT_KEY_VALUE"),
        ("=3", "CFG_NOT_KEY_VALUE"),
        ("epochs=many", "CFG_VALUE_TYPE"),
        ("epochs=3.5", "CFG_VALUE_TYPE"),
        ("epochs=1_000", "CFG_VALUE_TYPE"),
        ("epochs=0", "CFG_VALUE_RANGE"),
        ("threshold=nan", "CFG_VALUE_TYPE"),
        ("threshold=1.5", "CFG_VALUE_RANGE"),
        ("augment.turn=yes", "CFG_VALUE_TYPE"),
        ("split=plate", "CFG_VALUE_RANGE"),
        ("network=compat", "CFG_OPTION_UNKNOWN"),
        ("network={name: compact}", "CFG_OPTION_UNKNOWN"),
        ("augment=strong", "CFG_OPTION_UNKNOWN"),
        ("epochs=1,2", "CFG_VALUE_TYPE"),
        ("out=a\nb", "CFG_VALUE_RANGE"),
        ("+new=1", "CFG_KEY_FORBIDDEN"),
        ("++epochs=1", "CFG_KEY_FORBIDDEN"),
        ("~network=compact", "CFG_KEY_FORBIDDEN"),
        ("_target_=os.system", "CFG_KEY_FORBIDDEN"),
        ("network._target_=os.system", "CFG_KEY_FORBIDDEN"),
        ("hydra.run.dir=/tmp", "CFG_KEY_FORBIDDEN"),
        ("hydra.searchpath=[/tmp]", "CFG_KEY_FORBIDDEN"),
        ("hydra/job_logging=none", "CFG_KEY_FORBIDDEN"),
        ("network@finder=compact", "CFG_KEY_FORBIDDEN"),
        ("out=${oc.env:HOME}", "CFG_INTERPOLATION"),
    ],
)
def test_a_bad_word_is_refused(word: str, code: str) -> None:
    assert _codes("train", *TRAIN, word) == [code]


def test_all_problems_are_told_at_once() -> None:
    found = _codes("train", "campaing=c", "epochs=x", "seed=1", "seed=2", "+a=1")

    assert sorted(found) == [
        "CFG_KEY_FORBIDDEN",
        "CFG_KEY_REPEATED",
        "CFG_KEY_UNKNOWN",
        "CFG_VALUE_TYPE",
    ]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("campaing=c", "did you mean campaign"),
        ("learning_rate=0.1", "did you mean optimizer.learning_rate"),
        ("network=compakt", "did you mean compact"),
        ("split=haves", "did you mean halves"),
    ],
)
def test_the_nearest_name_is_offered(word: str, hint: str) -> None:
    with pytest.raises(Refusal, match=hint):
        parse("train", [word])


def test_a_sweep_has_a_job_for_each_combination() -> None:
    words = ["-m", *TRAIN, "optimizer.learning_rate=0.1,1e-2", "network=compact,sesmo"]
    command = parse("train", words)

    assert [
        (j.groups["network"], j.values["optimizer.learning_rate"]) for j in command.jobs
    ] == [
        ("compact", 0.1),
        ("compact", 0.01),
        ("sesmo", 0.1),
        ("sesmo", 0.01),
    ]
    assert set(command.swept) == {"network", "optimizer.learning_rate"}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("range(1,4)", [1, 2, 3]),
        ("range(3)", [0, 1, 2]),
        ("range(9,3,-3)", [9, 6]),
        ("choice(5,7)", [5, 7]),
    ],
)
def test_a_sweep_may_be_a_range_or_a_choice(text: str, seeds: list[int]) -> None:
    jobs = parse("train", ["-m", *TRAIN, f"seed={text}"]).jobs

    assert [job.values["seed"] for job in jobs] == seeds


@given(parts=st.lists(st.text("ab ", max_size=4).map(str.strip), min_size=1))
def test_splitting_undoes_joining(parts: list[str]) -> None:
    assert split_top(",".join(parts)) == parts


def test_commas_inside_quotes_and_brackets_do_not_split() -> None:
    assert split_top("a,'b,c',[d,e],f(g,h)") == ["a", "'b,c'", "[d,e]", "f(g,h)"]


def test_each_job_of_a_sweep_has_its_own_folder(
    fake: list[Any], tmp_path: Path
) -> None:
    words = ["call", "-m", "run=r", f"runs={tmp_path}", "decision.fdr=0.01,0.1"]

    assert main(words) == 0
    assert [s.decision.fdr for s in fake] == [0.01, 0.1]
    assert [s.out for s in fake] == [
        str(tmp_path / "r/sweep/0"),
        str(tmp_path / "r/sweep/1"),
    ]


def test_a_sweep_over_runs_needs_no_folder_of_its_own(fake: list[Any]) -> None:
    assert main(["call", "-m", "run=a,b"]) == 0
    assert [(s.run, s.out) for s in fake] == [("a", ""), ("b", "")]


def test_the_composed_settings_are_kept_for_the_owner_only(
    fake: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "r").mkdir()
    main(
        ["call", "run=r", f"runs={tmp_path}", "campaign=https://me:secret@host/c?key=1"]
    )
    kept = tmp_path / "r/.hydra/call.yaml"

    assert kept.stat().st_mode & 0o777 == 0o600
    assert "https://***@host/c?***" in kept.read_text()


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (refusal("RUN_LOCKED", "r", "f", "w", "x"), 6, "RUN_LOCKED r: f - w - x"),
        (
            InputError((Problem("MAP_WELL_RANGE", "m:3", "Q25", "w", "x"),)),
            3,
            "m:3: Q25",
        ),
        (OSError(28, "No space left on device", "hits"), 5, "DISK_FULL hits"),
        (OSError(27, "File too large", "events.jsonl"), 5, "FILE_LIMIT events.jsonl"),
        (MemoryError(), 5, "MEMORY_FULL"),
        (
            PermissionError(13, "Permission denied", "runs"),
            3,
            "OUTPUT_NOT_WRITABLE runs",
        ),
        (FileExistsError(17, "File exists", "plate"), 3, "OUTPUT_EXISTS plate"),
        (KeyboardInterrupt(), 130, "run the same command again"),
        (RuntimeError("a bug"), 1, "crash report: "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_error_becomes_a_message_and_an_exit_code(
    error: BaseException,
    code: int,
    text: str,
    fake: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(settings: Any) -> Outcome:
        raise error

    monkeypatch.setattr(sys.modules["screen.call"], "run", fail)

    assert main(["call", "run=r"]) == code
    shown = capsys.readouterr().err
    assert text in shown
    assert "Traceback" not in shown


def test_a_failing_job_does_not_stop_the_others(
    fake: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([0, 7, 4])
    monkeypatch.setattr(
        sys.modules["screen.call"], "run", lambda settings: Outcome(next(codes), "x")
    )

    assert main(["call", "-m", "run=a,b,c"]) == 7


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([0, 4], 4), ([3, 4], 3), ([1, 7], 1), ([0, 130], 130)],
)
def test_the_worst_code_wins(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected


@pytest.mark.parametrize("words", [[], ["scroe"], ["--epochs=3"], ["score.run"]])
def test_no_verb_or_an_unknown_one_lists_the_verbs(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert f"verbs: {' '.join(VERBS)}" in capsys.readouterr().err


def test_show_prints_the_settings_and_does_nothing(
    fake: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["call", "--cfg", "job", "run=0012"]) == 0
    assert "run: '0012'" in capsys.readouterr().out
    assert fake == []


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_stops_in_order(number: int, code: int, tmp_path: Path) -> None:
    program = (
        "import sys, time, types\n"
        "module = types.ModuleType('screen.call')\n"
        "def run(settings): print('ready', flush=True); time.sleep(60)\n"
        "module.run = run; sys.modules['screen.call'] = module\n"
        "from screen.__main__ import main\n"
        "sys.exit(main(['call', 'run=r']))\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=env,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert "run the same command again" in errors
    assert time.monotonic() - started < 10
    assert list(tmp_path.iterdir()) == []
