"""The command line: `senoscreen VERB key=value ...`, the same as `python -m screen`."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from plates.problems import Problem
from screen.codes import USABLE
from screen.command_line import Command, parse, unknown_verb
from screen.errors import Outcome, Refusal, Terminated, printable, rendered, worst
from screen.settings import VERBS

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CALLING = ("call", "run")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say and return the exit code; the worst of a sweep's jobs."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _main(words)
    except BrokenPipeError:
        # The reader of a pipe has gone; without this, Python complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt as stop:
        return 143 if isinstance(stop, Terminated) else 130


def _main(words: list[str]) -> int:
    if words[:1] in (["--help"], ["-h"], ["help"]):
        return _help_text(words[1:])
    if words[:1] == ["--version"]:
        return _version()
    if not words or words[0] not in VERBS:
        _complain(_no_verb(words))
        return 2
    try:
        command = parse(words[0], words[1:])
    except Refusal as refusal:
        _complain(rendered(refusal.problems))
        return refusal.code
    if "help" in command.flags:
        return _help_text([command.verb])
    return _do(command)


def _no_verb(words: list[str]) -> str:
    if words:
        return rendered([unknown_verb(words[0])])
    why, remedy = "a verb says what to do", f"verbs: {' '.join(VERBS)}"
    return rendered([Problem("CFG_VERB_UNKNOWN", "senoscreen", "no verb", why, remedy)])


def _help_text(words: list[str]) -> int:
    from screen.manual import manual, overview

    print(manual(words[0]) if words[:1] and words[0] in VERBS else overview())

    return 0


def _version() -> int:
    from importlib.metadata import version

    print(f"senoscreen {version('senoscreen')}")

    return 0


def _do(command: Command) -> int:
    from screen.jobs import closing, run_job

    _listen()
    _one_algebra_thread(command.verb)
    if "show" in command.flags:
        return _show(command)
    outcomes: list[Outcome] = []
    for number, job in enumerate(command.jobs):
        outcomes.append(run_job(command, number, job))
        _tell(outcomes[-1], number if len(command.jobs) > 1 else None)
        if outcomes[-1].code in (130, 143):
            break
    if (said := closing(command, outcomes)) is not None:
        _tell(said, None)
    return worst(outcome.code for outcome in outcomes)


def _one_algebra_thread(verb: str) -> None:
    """Let a call multiply its many small matrices with one thread, unless the user says
    otherwise: a second one waits for them far longer than it helps, and last digits would
    hang on the number of cores. It is heard before numpy is loaded, or not at all."""
    if verb in _CALLING and "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _show(command: Command) -> int:
    from omegaconf import OmegaConf

    from screen.compose import compose_config

    try:
        for job in command.jobs:
            print(OmegaConf.to_yaml(compose_config(command.verb, job)))
    except Refusal as refusal:
        _complain(rendered(refusal.problems))
        return refusal.code
    return 0


def _tell(outcome: Outcome, number: int | None) -> None:
    text = "\n".join(map(printable, outcome.message.splitlines()))
    prefix = "" if number is None else f"[job {number}] "
    written = [f"  {printable(str(path))}" for path in outcome.paths]
    is_told = outcome.is_answer or outcome.code in USABLE
    stream = sys.stdout if is_told else sys.stderr
    print("\n".join([prefix + text, *written]), file=stream, flush=True)


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


def _listen() -> None:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into an orderly stop, the second into an
    end at once. One that is ignored, as nohup asks, stays ignored."""
    for name in _STOPS:
        if signal.getsignal(name) != signal.SIG_IGN:
            signal.signal(name, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    for name in _STOPS:
        if signal.getsignal(name) == _stop:
            signal.signal(name, _end_at_once)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Terminated(signal.Signals(number).name)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # Workers end with the pipe to their parent; a commit is whole or absent anyway.
    os._exit(130 if number == signal.SIGINT else 143)


if __name__ == "__main__":
    sys.exit(main())
