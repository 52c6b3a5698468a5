"""Every configuration composes, says what the schemas say, and keeps text as typed."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from screen.command_line import Job
from screen.compose import compose_config, overrides_of, settings_of
from screen.errors import Refusal
from screen.keys import key_table, options_of
from screen.paths import conf_dir
from screen.settings import VERBS, RunVerb, ScoreVerb, SimulateVerb

NEEDED = {
    "ingest": ["source=a", "out=o"],
    "train": ["campaign=c"],
    "tune": ["campaign=c"],
    "score": ["campaign=c", "model=m"],
    "report": ["run=r"],
    "run": ["campaign=c", "model=m"],
    "plan": ["campaign=c", "model=m"],
    "explain": ["model=m", "campaign=c"],
    "status": ["run=r"],
    "export": ["run=r"],
    "view": ["run=r"],
    "verify": ["run=r"],
}
OPTION_NEEDS = {
    "anchors=compound": ["anchors.senescent.compound=A", "anchors.healthy.compound=B"],
    "cluster=address": ["cluster.address=tls://host:8786"],
    "simulate=nuclei": ["simulate.bank=nuclei"],
}
OPTIONS = [
    (verb, f"{group}={option}")
    for verb in VERBS
    for group in key_table(verb).groups
    for option in (options_of(group) if "." not in group else ())
]
FILES = sorted(conf_dir().rglob("*.yaml"))


def _schema(verb: str) -> Any:
    return VERBS[verb]()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_composes_to_the_defaults_of_its_schema(verb: str) -> None:
    chosen = settings_of(verb, NEEDED.get(verb, []))
    found = asdict(chosen)
    given_keys = dict(word.split("=", 1) for word in NEEDED.get(verb, []))
    expected = asdict(_schema(verb)) | given_keys

    assert {k: str(v) for k, v in found.items()} == {
        k: str(v) for k, v in expected.items()
    }
    assert type(chosen) is VERBS[verb]


@pytest.mark.parametrize(("verb", "option"), OPTIONS, ids=" ".join)
def test_every_option_of_every_group_composes(verb: str, option: str) -> None:
    words = [*NEEDED.get(verb, []), option, *OPTION_NEEDS.get(option, [])]

    assert isinstance(settings_of(verb, words), VERBS[verb])


@pytest.mark.parametrize(
    "path", FILES, ids=lambda p: p.relative_to(conf_dir()).as_posix()
)
def test_every_file_opens_with_an_example_and_explains_each_value(path: Path) -> None:
    text = path.read_text(encoding="utf-8").removeprefix("# @package _global_\n")
    first, *rest = text.splitlines()
    values = [line for line in rest if re.match(r"\s*\w+: \S", line)]
    unexplained = [line for line in values if " # " not in line]

    assert first.startswith("# senoscreen ")
    assert unexplained == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_key_has_a_meaning(verb: str) -> None:
    assert [k.name for k in key_table(verb).keys.values() if not k.help] == []


@settings(deadline=None)
@given(text=st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_text_passes_through_the_grammar_as_typed(text: str) -> None:
    (override,) = overrides_of(Job({}, {"campaign": text}))
    read = OverridesParser.create().parse_override(override)

    assert read.value() == text


@settings(deadline=None)
@given(words=st.lists(st.sampled_from(["a", "1E05", "b,c", "it's", "[d]", ""])))
def test_lists_of_text_pass_through_the_grammar(words: list[str]) -> None:
    (override,) = overrides_of(Job({}, {"channels": list(words)}))
    read = OverridesParser.create().parse_override(override)

    assert read.value() == words


@pytest.mark.parametrize(
    "text", ["1E05", "TRUE", "0012", "null", "NA", "1_000", "12:30"]
)
def test_ids_stay_text(text: str) -> None:
    assert settings_of("call", [f"run={text}"]).run == text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("epochs=3", 3),
        ("epochs=+12", 12),
        ("epochs=012", 12),
        ("threshold=.25", 0.25),
        ("threshold=5e-1", 0.5),
        ("threshold=1", 1.0),
        ("network.bin=4", 4),
    ],
)
def test_numbers_are_read_as_a_person_reads_them(word: str, expected: float) -> None:
    config = OmegaConf.to_container(
        OmegaConf.structured(settings_of("train", ["campaign=c", word]))
    )

    assert _at(config, word.partition("=")[0]) == expected


def _at(config: Any, name: str) -> Any:
    for part in name.split("."):
        config = config[part]
    return config


def test_a_key_that_is_a_keyword_of_python_is_typed_without_its_underscore() -> None:
    assert settings_of(
        "score", ["campaign=c", "model=m", "lock.break=true"]
    ).lock.break_


def test_lists_are_typed_with_or_without_brackets() -> None:
    words = NEEDED["ingest"]

    assert settings_of("ingest", [*words, "channels=[DNA,1E05]"]).channels == [
        "DNA",
        "1E05",
    ]
    assert settings_of("ingest", [*words, "channels=DNA, 1E05"]).channels == [
        "DNA",
        "1E05",
    ]
    assert settings_of("ingest", [*words, "channels=[]"]).channels == []


def test_a_bank_selects_the_real_nuclei() -> None:
    chosen = settings_of("simulate", ["bank=/somewhere/nuclei"])

    assert chosen.screen().style == "nuclei"
    assert chosen.screen().bank == "/somewhere/nuclei"


def test_an_anchor_named_by_compound_takes_wells_of_any_role() -> None:
    words = ["campaign=c", "anchors.healthy.compound=rapamycin"]
    anchors = settings_of("train", words).anchors

    assert asdict(anchors.healthy) == {"role": "", "state": "", "compound": "rapamycin"}
    assert anchors.senescent.role == "vehicle"


def test_run_is_score_and_call_and_report() -> None:
    chosen = settings_of("run", NEEDED["run"])

    assert isinstance(chosen, RunVerb)
    assert isinstance(chosen, ScoreVerb)
    assert chosen.decision.fdr == 0.05
    assert chosen.top == 12


@pytest.mark.parametrize(
    ("verb", "word", "message"),
    [
        ("score", "cluster=address", "cluster.address goes with cluster=address"),
        ("score", "cluster.address=tcp://h:1", "cluster.address goes with cluster=add"),
        ("run", "cluster=address", "cluster.address goes with cluster=address"),
        ("train", "anchors=compound", "give anchors.senescent.compound"),
        ("run", "anchors.healthy.state=stressed", "are the same wells"),
        ("simulate", "simulate.n_plates=0", "n_plates must be at least 1: 0"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    verb: str, word: str, message: str
) -> None:
    with pytest.raises(Refusal, match=re.escape(message)) as caught:
        settings_of(verb, [*NEEDED.get(verb, []), word])

    assert caught.value.code == 2
    assert caught.value.problems[0].code == "CFG_INVALID"


def test_a_simulation_is_settled_before_it_starts() -> None:
    chosen = settings_of("simulate", ["simulate.control_columns=1,2", "seed=7"])

    assert isinstance(chosen, SimulateVerb)
    assert chosen.screen().control_columns == (1, 2)


def test_the_composed_configuration_holds_nothing_of_the_frame() -> None:
    assert "hydra" not in compose_config("call", Job({}, {}))
