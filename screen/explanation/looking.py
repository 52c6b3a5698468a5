"""A model's networks as explainers: one compiled method, the weights as arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from plates.problems import InputError, Problem
from plates.tables import nearest
from screen.explain_settings import ExplainVerb
from screen.explanation.views import Crops, batches
from screen.models import Model

if TYPE_CHECKING:
    from kernels.explanation import Answer, Explain, Output, StagesOf
    from kernels.networks import Params


@dataclass(frozen=True)
class Looking:
    """What explains a model's cells: the method, Grad-CAM of each stage asked for, the
    explained number, and the weights of each network."""

    explain: Explain
    answer: Answer
    cams: Mapping[str, Explain]
    output: Output
    output_words: str
    params: Mapping[str, Params]
    stages_of: StagesOf

    def maps(self, params: Params, crops: Crops, size: int) -> Crops:
        """The maps [n s s m] of crops [n s s c] by the method, ``size`` at a time."""
        return self._run(self.explain, params, crops, size)

    def answers(self, params: Params, crops: Crops, size: int) -> Crops:
        """The explained number of each crop, f32[n]."""
        return self._run(self.answer, params, crops, size)

    def cam(self, stage: str, params: Params, crops: Crops, size: int) -> Crops:
        """Grad-CAM [n s s] of each crop at a stage."""
        return self._run(self.cams[stage], params, crops, size)[..., 0]

    def _run(self, of: Any, params: Params, crops: Crops, size: int) -> Crops:
        import jax

        parts = [
            np.asarray(of(params, jax.device_put(batch), self.output))[:n]
            for batch, n in batches(crops, size)
        ]
        return np.concatenate(parts)


def looking(model: Model, settings: ExplainVerb) -> Looking:
    """The explainers of a model; raises InputError for weights that do not fit, and for
    an output or a stage that the network does not have."""
    import jax

    from kernels.explanation import as_scored, make_answer, make_grad_cam, map_stages
    from kernels.preprocessing import Preprocessing
    from screen.model_networks import load_networks

    loaded = load_networks(model)
    params = {name: state for name, (_, state) in loaded.items()}
    graphdef = next(iter(loaded.values()))[0]
    stored = model.spec.preprocessing
    look = as_scored(graphdef, Preprocessing.from_dict(stored) if stored else None)
    known = map_stages(look, jax.tree.map(np.asarray, next(iter(params.values()))))
    output, words = _output(model, settings.output)
    return Looking(
        method_of(settings, look),
        make_answer(look),
        {
            n: make_grad_cam(look, stage=n)
            for n in _stages(settings.stages, settings.method, known)
        },
        output,
        words,
        params,
        look,
    )


def method_of(settings: ExplainVerb, stages_of: StagesOf) -> Explain:
    """The chosen method on these stages."""
    from kernels.explanation import (
        make_grad_cam,
        make_guided_grad_cam,
        make_integrated_gradients,
        make_occlusion,
    )

    if settings.method == "grad_cam":
        return make_grad_cam(stages_of)
    if settings.method == "guided_grad_cam":
        return make_guided_grad_cam(stages_of)
    if settings.method == "occlusion":
        patch = settings.patch_px
        return make_occlusion(
            stages_of,
            patch_px=patch,
            stride_px=max(1, patch // 2),
            fill=settings.baseline,
        )
    return make_integrated_gradients(
        stages_of, steps=settings.steps, baseline=settings.baseline
    )


def _needed(asked: Sequence[str], method: str, known: Sequence[str]) -> tuple[str, ...]:
    """The stages asked for, and the last one where the method draws on it."""
    is_cam = method in ("grad_cam", "guided_grad_cam")
    return (*asked, *((f"method={method}",) if is_cam and not known else ()))


def _stages(asked: Sequence[str], method: str, known: Sequence[str]) -> tuple[str, ...]:
    problems = [
        Problem(
            "EXPLAIN_STAGE_UNKNOWN",
            name,
            "no such map stage",
            "Grad-CAM needs a stage of the network that gives a map",
            f"name some of: {', '.join(known)}" if known else "take another method",
        )
        for name in _needed(asked, method, known)
        if name not in known
    ]
    if problems:
        raise InputError(problems)
    return tuple(asked) or tuple(known)


def _output(model: Model, asked: str) -> tuple[Output, str]:
    from kernels.explanation import output_of
    from kernels.networks.heads import HeadSpec

    head = HeadSpec(model.spec.head["kind"], int(model.spec.head["n"]))
    names = model.spec.classes if head.kind != "regression" else ()
    which: int | None = None
    if asked:
        which = names.index(asked) if asked in names else _number(asked)
        if which is None:
            raise InputError(_no_output(asked, names, f"no class or grade {asked!r}"))
    elif head.kind == "classes" and head.n > 1 and len(names) > 1:
        which = 1  # the scored class
    try:
        return output_of(head, which), _words(head.kind, which, names)
    except ValueError as error:
        raise InputError(_no_output(asked, names, str(error))) from error


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _words(kind: str, which: int | None, names: Sequence[str]) -> str:
    if kind == "regression":
        return "the predicted value"
    name = "" if which is None or which >= len(names) else names[which]
    if kind == "ordinal":
        if which is None:
            return "the log odds of all borders of grades, summed"
        return f"the log odds of grade {name or which} or more"
    if len(names) == 2 and which is not None:
        return f"the log odds of {name} against {names[1 - which]}"
    return f"the logit of {name or which} less the mean of the others"


def _no_output(asked: str, names: Sequence[str], found: str) -> Problem:
    near = nearest(asked, list(names))
    listed = f"name one of: {', '.join(names)}" if names else "leave output= out"
    return Problem(
        "EXPLAIN_OUTPUT_UNKNOWN",
        f"output={asked}",
        found,
        "a map is of one output of the network",
        f"did you mean {near}?" if near else listed,
    )
