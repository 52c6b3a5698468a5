"""The manifest proves a run's files, blesses nothing damaged, and keeps no secret."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen.errors import Refusal
from screen.provenance import (
    read_manifest,
    record_outputs,
    redacted,
    redacted_text,
    sha256_file,
    write_json,
    write_text,
)
from screen.settings import VerifyVerb
from screen.verify import run as verify


@dataclass
class _Settings:
    campaign: str = "c"
    api_key: str = "hunter2"


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A run with a ledger of score and a table of call."""
    folder = tmp_path / "night"
    (folder / "ledger").mkdir(parents=True)
    (folder / "ledger/P1.parquet").write_bytes(b"records")
    (folder / "cells").mkdir()
    record_outputs(folder, "score", _Settings())
    (folder / "hits.csv").write_bytes(b"plate,well\n")
    record_outputs(folder, "call", _Settings())
    return folder


def _verify(folder: Path) -> None:
    outcome = verify(VerifyVerb(run=folder.name, runs=str(folder.parent)))
    assert outcome.code == 0


def _faults(folder: Path) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as caught:
        _verify(folder)
    assert caught.value.code == 7
    return [(p.code, Path(p.where).name) for p in caught.value.problems]


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")

    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_whole_run_verifies(done: Path) -> None:
    manifest = read_manifest(done)

    assert {n: o["verb"] for n, o in manifest["outputs"].items()} == {
        "ledger/P1.parquet": "score",
        "hits.csv": "call",
    }
    assert manifest["schema"] == 1
    assert set(manifest["verbs"]) == {"score", "call"}
    assert manifest["verbs"]["call"]["versions"]["jax"] != "none"
    _verify(done)


@pytest.mark.parametrize("name", ["ledger/P1.parquet", "hits.csv"])
def test_every_flipped_bit_is_found(done: Path, name: str) -> None:
    data = bytearray((done / name).read_bytes())
    data[0] ^= 1
    (done / name).write_bytes(data)

    assert _faults(done) == [("OUTPUT_CHANGED", Path(name).name)]


def test_all_faults_are_named_at_once(done: Path) -> None:
    (done / "hits.csv").unlink()
    (done / "ledger/P1.parquet").write_bytes(b"cut")

    assert _faults(done) == [
        ("OUTPUT_MISSING", "hits.csv"),
        ("OUTPUT_CHANGED", "P1.parquet"),
    ]


def test_a_file_that_points_out_of_the_run_is_refused(
    done: Path, tmp_path: Path
) -> None:
    (tmp_path / "hits.csv").write_bytes(b"plate,well\n")
    (done / "hits.csv").unlink()
    (done / "hits.csv").symlink_to(tmp_path / "hits.csv")

    with pytest.raises(Refusal, match="PATH_ESCAPE"):
        _verify(done)


def test_a_later_verb_does_not_bless_a_damaged_file(done: Path) -> None:
    (done / "ledger/P1.parquet").write_bytes(b"rotten!")
    record_outputs(done, "call", _Settings())

    assert _faults(done) == [("OUTPUT_CHANGED", "P1.parquet")]


def test_a_verb_that_runs_again_enters_its_files_anew(done: Path) -> None:
    (done / "hits.csv").write_bytes(b"plate,well,score\n")
    record_outputs(done, "call", _Settings())

    _verify(done)


def test_hidden_files_other_jobs_and_events_are_no_outputs(done: Path) -> None:
    (done / ".hydra").mkdir()
    (done / ".hydra/call.yaml").touch()
    (done / "sweep/0").mkdir(parents=True)
    (done / "sweep/0/hits.csv").touch()
    (done / "events.jsonl").touch()
    (done / "lock").touch()
    record_outputs(done, "report", _Settings())

    assert sorted(read_manifest(done)["outputs"]) == ["hits.csv", "ledger/P1.parquet"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it cannot be read"),
        ("[]", "it cannot be read"),
        ("", "it cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_integrity_failure(
    done: Path, text: str, message: str
) -> None:
    (done / "manifest.json").write_text(text)

    with pytest.raises(Refusal, match=f"MANIFEST_INVALID.*{message}") as caught:
        read_manifest(done)
    assert caught.value.code == 7


def test_a_changed_manifest_is_found(done: Path) -> None:
    manifest = json.loads((done / "manifest.json").read_text())
    manifest["outputs"]["hits.csv"]["bytes"] += 1
    write_json(done / "manifest.json", manifest)

    with pytest.raises(Refusal, match="its own checksum does not agree"):
        read_manifest(done)


def test_a_newer_manifest_is_refused_naming_the_version(done: Path) -> None:
    write_json(done / "manifest.json", {"schema": 2})

    with pytest.raises(
        Refusal, match=r"SCHEMA_NEWER.*schema 2.*reads schema 1"
    ) as caught:
        read_manifest(done)
    assert caught.value.code == 3


def test_a_run_that_is_not_there_is_named_with_those_that_are(done: Path) -> None:
    with pytest.raises(Refusal, match=r"no such run.*runs found: night"):
        verify(VerifyVerb(run="nihgt", runs=str(done.parent)))


def test_inputs_are_hashed_by_name(done: Path, tmp_path: Path) -> None:
    (tmp_path / "map.csv").write_bytes(b"abc")
    record_outputs(done, "call", _Settings(), inputs={"map": tmp_path / "map.csv"})
    inputs = read_manifest(done)["verbs"]["call"]["inputs"]

    assert inputs["map"]["sha256"] == {"map.csv": hashlib.sha256(b"abc").hexdigest()}


def test_no_secret_reaches_the_manifest(done: Path) -> None:
    assert "hunter2" not in (done / "manifest.json").read_text()
    assert read_manifest(done)["verbs"]["score"]["settings"]["campaign"] == "c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/plate", "s3://bucket/plate"),
        ("https://me:pw@host/a?X-Sig=abc", "https://***@host/a?***"),
        ("token=abc next", "token=*** next"),
        ("AWS_SECRET_ACCESS_KEY: abc", "AWS_SECRET_ACCESS_KEY: ***"),
        ("id AKIAIOSFODNN7EXAMPLE", "id ***"),
        ("runs/a?b", "runs/a?b"),
    ],
)
def test_secrets_are_blotted_out_of_text(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


@given(secret=st.from_regex(r"[A-Za-z0-9]{12,20}", fullmatch=True))
def test_a_secret_key_hides_whatever_it_holds(secret: str) -> None:
    value = {"storage": [{"my_password": secret}], "n": 3, "session_token": [secret]}

    assert secret not in json.dumps(redacted(value))
    assert redacted(value)["n"] == 3


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", "new \ud800")

    assert (tmp_path / "a").read_text() == "old"
