"""Many trainings: written down, ranked, and searched with the same end after a stop."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plates.problems import InputError
from screen.errors import Outcome, Refusal
from screen.keys import key_table
from screen.settings import TrainVerb
from screen.sweeps import study as studies
from screen.sweeps.leaderboard import leaderboard, shown, write_leaderboard
from screen.sweeps.search_space import Dimension, search_space
from screen.sweeps.trained import (
    Judged,
    Taught,
    Training,
    find_trainings,
    flat_settings,
    read_training,
    write_training,
)
from tests.catalogue import run_verb, told


def training(name: str, value: float | None, **changes: Any) -> Training:
    """A training as if read from a disk."""
    settings = {"epochs": 8, "network.name": "compact", **changes.pop("settings", {})}
    one = Training(
        Path(name), "0", settings, "d", Judged("AUC", value), None, 1000, 1.0
    )
    return replace(one, **changes)


def test_the_best_stands_first_and_only_differing_settings_are_shown() -> None:
    table = leaderboard(
        [
            training("a", 0.8, settings={"epochs": 4}),
            training("b", 0.9, settings={"epochs": 16}),
            training("c", 0.9, settings={"epochs": 9}, n_parameters=10),
        ]
    )
    assert table["model"].to_list() == ["c", "b", "a"]
    assert table["rank"].to_list() == [1, 2, 3]
    assert table["epochs"].to_list() == [9, 16, 4]
    assert "network.name" not in table.columns
    text = shown(table)
    assert "0.9000" in text
    assert "epochs" in text


def test_an_error_is_better_low() -> None:
    errors = [
        training(n, v, judged=Judged("MAE", v, v - 1, v + 1, is_higher_better=False))
        for n, v in (("a", 5.0), ("b", 4.0))
    ]
    table = leaderboard(errors)
    assert table["model"].to_list() == ["b", "a"]
    assert "3.000-5.000" in shown(table)


def test_what_nothing_was_held_out_for_stands_last_without_a_rank() -> None:
    judged = Judged("AUC", None, why="split=teaching holds nothing out")
    table = leaderboard(
        [training("a", None, judged=judged), training("b", 0.2), training("c", 0.6)]
    )
    assert table["model"].to_list() == ["c", "b", "a"]
    assert table["rank"].to_list() == [1, 2, None]
    assert "not ranked: a: split=teaching holds nothing out" in shown(table)


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"judged": Judged("MAE", 1.0)}, "COMPARE_METRICS"),
        ({"data_sha256": "e"}, "COMPARE_DATA"),
    ],
    ids=["measure", "data"],
)
def test_what_has_no_order_is_refused(other: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError, match=code):
        leaderboard([training("a", 0.8), training("b", 0.9, **other)])


def test_a_cell_that_starts_like_a_formula_is_made_harmless(tmp_path: Path) -> None:
    table = leaderboard(
        [
            training("a", 0.8, settings={"crops_filter": "=1+1"}),
            training("b", 0.7, settings={"crops_filter": ""}),
        ]
    )
    assert "'=1+1" in write_leaderboard(table, tmp_path / "new").read_text()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder as a training leaves it; the model's own content does not matter here."""
    folder = tmp_path / "models" / "one"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text("{}")
    judged = Judged("AUC", 0.9, 0.8, 0.95)
    taught = Taught("words", (folder / "model.json",), judged, None, "d", 7)
    write_training(folder, TrainVerb(crops="x", epochs=3), taught, seconds=2.04)
    return folder


def test_a_training_comes_back_as_it_was_written(model: Path) -> None:
    found = read_training(model)
    assert found.judged == Judged("AUC", 0.9, 0.8, 0.95)
    assert (found.settings["epochs"], found.seconds) == (3, 2.0)
    assert found.settings["optimizer.name"] == "adamw"
    assert "crops" not in found.settings  # a place, not a setting
    (again,) = find_trainings([model.parent, model])
    assert again.judged == found.judged


def test_a_training_without_a_figure_is_written_as_null(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    judged = Judged("cell AUC", None, why="nothing held out")
    taught = Taught("words", (tmp_path / "model.json",), judged, None, "d", 7)
    path = write_training(tmp_path, TrainVerb(campaign="x"), taught, seconds=2.0)
    assert json.loads(path.read_text())["judged"]["value"] is None
    assert read_training(tmp_path).judged == judged


def test_a_figure_that_is_no_number_is_never_written(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    judged = Judged("AUC", float("nan"))
    taught = Taught("words", (tmp_path / "model.json",), judged, None, "d", 7)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_training(tmp_path, TrainVerb(crops="x"), taught, seconds=2.0)
    assert not (tmp_path / "training.json").exists()


@pytest.mark.parametrize("fault", ["changed model", "schema", "cut", "absent", "nan"])
def test_a_training_that_does_not_fit_its_model_is_refused(
    model: Path, fault: str
) -> None:
    path = model / "training.json"
    if fault == "changed model":
        (model / "model.json").write_text("{ }")
    elif fault == "schema":
        text = json.loads(path.read_text()) | {"schema": 9}
        path.write_text(json.dumps(text))
    elif fault == "nan":
        path.write_text(path.read_text().replace("0.9,", "NaN,"))
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:50])
    else:
        path.unlink()
    with pytest.raises(InputError, match="TRAINING_INVALID"):
        find_trainings([model])


def test_nested_settings_become_dotted_keys() -> None:
    found = flat_settings({"a": {"b": {"c": 1}}, "out": "x", "d": {"out": 2}})
    assert found == {"a.b.c": 1, "d.out": 2}


TABLE = key_table("train")


def test_every_form_of_search_is_read() -> None:
    found = search_space(
        [
            "optimizer.learning_rate=log(1e-4,1e-2)",
            "label_smoothing=linear(0,0.2)",
            "epochs=range(4,9)",
            "network=choice(compact,sesmo)",
        ],
        TABLE,
    )
    assert found == (
        Dimension("optimizer.learning_rate", "log", 1e-4, 1e-2),
        Dimension("label_smoothing", "linear", 0.0, 0.2),
        Dimension("epochs", "range", 4.0, 9.0),
        Dimension("network", "choice", words=("compact", "sesmo")),
    )


@pytest.mark.parametrize(
    "term",
    [
        "",
        "epochs",
        "epochs=log(1,10)",
        "epochs=range(9,4)",
        "epochs=range(0,9)",
        "epochs=range(1.5,9)",
        "optimizer.learning_rate=log(0,1)",
        "optimizer.learning_rate=log(1e-3)",
        "optimizer.learning_rat=log(1e-3,1)",
        "label_smoothing=linear(0,0.9)",
        "network=choice(compact)",
        "network.name=linear(1,2)",
        "optimizer.learning_rate=log(a,b)",
    ],
)
def test_a_search_that_cannot_be_is_refused(term: str) -> None:
    with pytest.raises(InputError, match="TUNE_SEARCH"):
        search_space([term], TABLE)


def test_all_faults_of_a_search_are_told_at_once() -> None:
    with pytest.raises(InputError) as raised:
        search_space(["epochs", "epochs=range(9,4)", "epochs=range(1,4)"], TABLE)
    assert len(raised.value.problems) == 2


SPACE = (
    Dimension("x", "linear", -1.0, 1.0),
    Dimension("k", "choice", words=("a", "b")),
)


class StopError(Exception):
    """The command is killed in the middle of a trial."""


def objective(
    place: int, values: dict[str, str], heard: studies.Told, stop_at: int = -1
) -> float:
    """A hill at x = 0.3 on side a; side b lies lower from its first step on."""
    if place == stop_at:
        raise StopError
    base = 1.0 - (float(values["x"]) - 0.3) ** 2 - (values["k"] == "b")
    for step in range(3):
        heard(step, base)
    return base


def searched(
    folder: Path, n_trials: int, *, stop_at: int = -1, prune: bool = True
) -> studies.Finished:
    """A study of the hill, stopped in the trial at a place."""
    folder.mkdir(exist_ok=True)
    with studies.opened(folder, "hill", {"a": [1]}, higher=True) as study:
        studies.search(
            study,
            SPACE,
            lambda p, v, t: objective(p, v, t, stop_at),
            n_trials=n_trials,
            seed=3,
            prune=prune,
            on_trial=lambda n: None,
        )
        return studies.standing(study, folder)


def test_a_search_climbs_and_gives_up_the_hopeless(tmp_path: Path) -> None:
    found = searched(tmp_path / "s", 25)
    assert found.n_done == 25
    assert found.n_pruned > 0
    assert found.best["k"] == "a"
    assert abs(float(found.best["x"]) - 0.3) < 0.15
    assert searched(tmp_path / "t", 8, prune=False).n_pruned == 0


def test_a_stopped_search_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole", 12)
    broken = tmp_path / "broken"
    searched(broken, 3)
    for place in (3, 7):
        with pytest.raises(StopError):
            searched(broken, 12, stop_at=place)
    assert searched(broken, 12) == whole
    tables = [(tmp_path / n / "trials.csv").read_bytes() for n in ("whole", "broken")]
    assert tables[0] == tables[1]


def test_a_study_that_was_asked_otherwise_is_refused(tmp_path: Path) -> None:
    searched(tmp_path / "s", 1)
    with (
        pytest.raises(Refusal, match=r"TUNE_STUDY_CHANGED.*a: \[1\] -> 2"),
        studies.opened(tmp_path / "s", "hill", {"a": 2}, higher=True),
    ):
        pass


def test_a_study_without_one_judged_trial_says_why(tmp_path: Path) -> None:
    from plates.problems import Problem

    def refused(place: int, values: dict[str, str], heard: studies.Told) -> float:
        raise InputError(Problem("CROPS_NONE", "x", "no crop", "why", "remedy"))

    with studies.opened(tmp_path, "none", {}, higher=True) as study:
        studies.search(
            study, SPACE, refused, n_trials=2, seed=1, prune=True, on_trial=print
        )
        with pytest.raises(InputError, match=r"TUNE_NO_TRIAL.*CROPS_NONE"):
            studies.standing(study, tmp_path)


def test_a_damaged_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no database at all" * 100)
    words = ["campaign=c", f"out={tmp_path}", "search=[epochs=range(2,9)]", "trials=2"]
    told(run_verb("tune", *words), 7, "TUNE_STUDY_INVALID")


def faked(settings: TrainVerb, heard: studies.Told) -> Outcome:
    """A training that writes its files at once; the longer it is, the better."""
    heard(0, settings.epochs / 100)
    folder = Path(settings.out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text("{}")
    judged = Judged("AUC", settings.epochs / 100)
    taught = Taught("words", (folder / "model.json",), judged, None, "d", 7)
    write_training(folder, settings, taught, seconds=1.0)
    return Outcome(0, "words", taught.paths)


def test_the_verb_tune_ranks_its_trials_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screen.train.run", faked)
    out = tmp_path / "study"
    words = ["campaign=c", f"out={out}", "prune=false", "search=[epochs=range(2,9)]"]
    ended = run_verb("tune", *words, "trials=3")
    assert ended.code == 0
    assert "3 trials" in ended.out
    first = (out / "trials.csv").read_text().splitlines()
    ended = run_verb("tune", *words, "trials=6")
    assert (out / "trials.csv").read_text().splitlines()[:4] == first
    best = (out / "leaderboard.csv").read_text().splitlines()[1]
    epochs = [int(one.settings["epochs"]) for one in find_trainings([out])]
    assert len(epochs) == 6
    assert f",{max(epochs) / 100}," in best
    assert f"epochs={max(epochs)}" in ended.out
    ended = run_verb("compare", f"runs=[{out}]", f"out={tmp_path / 'board'}")
    assert ended.code == 0
    assert (tmp_path / "board" / "leaderboard.csv").exists()


def unjudged(settings: TrainVerb, heard: studies.Told) -> Outcome:
    """A training that held nothing out."""
    outcome = faked(settings, heard)
    judged = Judged("AUC", None, why="nothing held out")
    taught = Taught("words", outcome.paths, judged, None, "d", 7)
    write_training(Path(settings.out), settings, taught, seconds=1.0)
    return outcome


def test_a_search_without_a_figure_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("screen.train.run", unjudged)
    words = ["campaign=c", f"out={tmp_path / 's'}", "search=[epochs=range(2,9)]"]
    ended = run_verb("tune", *words, "trials=2")
    told(ended, 3, "TUNE_NO_TRIAL", "nothing held out")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["search=[epoch=range(2,9)]"], "TUNE_SEARCH"),
        (["search=[]"], "TUNE_SEARCH"),
        (["search=[network=choice(compact,sesmoo)]"], "CFG_OPTION_UNKNOWN"),
        (["search=[epochs=range(2,9)]", "trials=0"], "CFG_VALUE_RANGE"),
    ],
    ids=["key", "nothing", "option", "trials"],
)
def test_a_wrong_search_is_refused_before_it_starts(
    tmp_path: Path, words: list[str], code: str
) -> None:
    ended = run_verb("tune", "campaign=c", f"out={tmp_path / 's'}", *words)
    told(ended, 2 if code.startswith("CFG") else 3, code)
    assert not (tmp_path / "s").exists()


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    told(run_verb("compare", f"runs=[{tmp_path}]"), 3, "TRAINING_INVALID")
