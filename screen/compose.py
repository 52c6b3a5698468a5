"""Hydra at work: schemas registered, a verb's settings composed from conf/."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

from screen.command_line import Job, parse
from screen.errors import refusal
from screen.keys import EXPERIMENT
from screen.paths import conf_dir
from screen.settings import VERBS
from screen.values import Value
from screen.yaml_limits import check_options


def register() -> None:
    """Store the schema of every verb as `VERB_schema`, the first entry of its config."""
    store = ConfigStore.instance()
    for verb, schema in VERBS.items():
        store.store(name=f"{verb}_schema", node=schema)


def overrides_of(job: Job) -> list[str]:
    """A job in Hydra's grammar, text quoted so that it stays what was typed."""
    groups = [f"{name}={option}" for name, option in job.groups.items()]
    values = _typed_options(job) | job.values

    return groups + [f"{path}={_spelt(value)}" for path, value in values.items()]


def _typed_options(job: Job) -> dict[str, Value]:
    """What the options typed beside an experiment set, key by key: the experiment's
    own values are merged after its groups and would outweigh them."""
    if not job.groups.get(EXPERIMENT):
        return {}
    found: dict[str, Value] = {}
    for name, option in job.groups.items():
        if name != EXPERIMENT:
            path = conf_dir() / name / f"{option}.yaml"
            check_options([path])
            found |= _leaves(yaml.safe_load(path.read_text(encoding="utf-8")), name)
    return found


def _leaves(node: dict[str, Any], prefix: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, value in node.items():
        if isinstance(value, dict):
            found |= _leaves(value, f"{prefix}.{name}")
        else:
            found[f"{prefix}.{name}"] = value
    return found


def _spelt(value: Value) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_spelt, value))}]"
    if isinstance(value, str):
        return QuotedString(text=value, quote=Quote.single).with_quotes()
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def option_files(verb: str, job: Job) -> list[Path]:
    """The files of conf/ that a verb's settings are composed from, its own one first."""
    own = conf_dir() / f"{verb}.yaml"
    check_options([own])
    listed = yaml.safe_load(own.read_text(encoding="utf-8"))["defaults"]
    usual = {k: v for item in listed if isinstance(item, dict) for k, v in item.items()}
    chosen = {**usual, **job.groups}
    files = [conf_dir() / name / f"{opt}.yaml" for name, opt in chosen.items() if opt]
    return [own, *files]


def compose_config(verb: str, job: Job) -> DictConfig:
    """The whole configuration of a verb for one job."""
    register()
    folder = str(conf_dir().resolve())
    check_options(option_files(verb, job))
    with initialize_config_dir(version_base="1.3", config_dir=folder):
        return compose(config_name=verb, overrides=overrides_of(job))


def settings_from(verb: str, job: Job) -> Any:
    """The settings object of a verb for one job (refuses with 2 when it cannot be)."""
    settings = OmegaConf.to_object(compose_config(verb, job))
    check = getattr(settings, "check", None)
    try:
        if check is not None:
            check()
    except ValueError as error:
        why, remedy = "the settings do not fit together", "change one of them"
        raise refusal("CFG_INVALID", verb, str(error), why, remedy) from error
    return settings


def settings_of(verb: str, arguments: Sequence[str] = ()) -> Any:
    """The settings that `senoscreen VERB ARGUMENTS` would run with (raises Refusal)."""
    (job,) = parse(verb, arguments).jobs

    return settings_from(verb, job)
