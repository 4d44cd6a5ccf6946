"""`python -m training`: from nothing to the folders of Postcard and its four-step sibling, in one command.

Drawing, autoencoder, latents, denoiser at 128 px, denoiser at 256 px, export, distillation.
Killed at any point and started again
with the same options, it goes on from its last saved state.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from transformers import CLIPTokenizer

from training import autoencoder, denoiser, distil, export, snapshots
from training.lessons import Lessons, prepare
from training.workshop import Workshop

GOALS = ("autoencoder", "decoder", "place", "small", "native", "export", "distilled")
"""The stretches of the way, in order; `--until` stops after one."""

QUICK = "postcard-quick"
"""The distilled sibling's folder, beside the checkpoint's own."""

FOLDER = Path(__file__).parents[1] / "src/stablehand/builtin/checkpoints/postcard"


def main() -> None:
    """Parse the command line and train."""
    options = _options()
    if options.draft:
        draft(options.state, options.out)
        return
    torch.set_num_threads(options.threads)
    device = torch.device(_device(options.device))
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    workshop = Workshop(options.state, device, options.threads, options.compile, 16 * options.wide)
    goal = GOALS.index(options.until)
    weights: dict[str, Tensor] | None = None
    start: AutoencoderKL | None = None
    if options.start is not None:
        start, weights = export.loaded(options.start)

    first_plan = autoencoder.Plan()
    first_plan = replace(
        first_plan,
        steps=options.autoencoder_steps,
        decoder_steps=options.decoder_steps,
        batch=first_plan.batch * options.wide,
        scenes=min(first_plan.scenes, options.scenes),
    )
    codec = autoencoder.train(first_plan, workshop, start)
    if goal >= GOALS.index("decoder") and options.decoder_steps:
        codec = autoencoder.polish(codec, first_plan, workshop)
    tokenizer = export.tokenizer_of(options.state / "tokenizer")
    plan = denoiser.Plan()
    steps = {"place": options.place_steps, "small": options.small_steps, "native": options.native_steps}
    for index, planned in enumerate(plan.stages, start=GOALS.index("place")):
        if goal < index:
            break
        if steps[planned.name] == 0:
            continue
        stage = _sized(replace(planned, steps=steps[planned.name]), options)
        lessons = _lessons(stage, plan, codec, tokenizer, workshop)
        weights = denoiser.run_stage(stage, plan, lessons, workshop, start=weights)
    if goal < GOALS.index("export") or weights is None:
        return
    export.export(codec, weights, options.out)
    print(f"wrote {options.out}")
    if goal == GOALS.index("distilled") and options.distilled_steps:
        stage = _sized(plan.stages[-1], options)
        lessons = _lessons(stage, plan, codec, tokenizer, workshop)
        lesson = replace(distil.Plan(), steps=options.distilled_steps)
        student = distil.distil(weights, lesson, stage=stage, lessons=lessons, tokenizer=tokenizer, workshop=workshop)
        export.export_quick(student, options.out.with_name(QUICK), options.out)
        print(f"wrote {options.out.with_name(QUICK)}")


def _lessons(
    stage: denoiser.Stage, plan: denoiser.Plan, codec: AutoencoderKL, tokenizer: CLIPTokenizer, workshop: Workshop
) -> Lessons:
    return prepare(
        codec, tokenizer, workshop, seed=plan.seed, shapes=stage.shapes, scenes=stage.scenes, worded=stage.worded
    )


def _sized(stage: denoiser.Stage, options: argparse.Namespace) -> denoiser.Stage:
    """The stage with its batches and its number of scenes as the command line wants them."""
    return replace(stage, batch=stage.batch * options.wide, scenes=min(stage.scenes, options.scenes))


def draft(state: Path, folder: Path) -> None:
    """Export what stands, finished or not, for a look while training goes on."""
    codec = autoencoder.restored(state)
    for stage in reversed(denoiser.Plan().stages):
        saved = snapshots.load(state / f"denoiser-{stage.name}.pt")
        if saved is not None and codec is not None:
            export.export(codec, saved["average"], folder)
            print(f"wrote {folder} from step {saved['step']} of stage {stage.name}")
            return
    raise SystemExit(f"nothing to export in {state} yet: run `python -m training` first")


def _device(wish: str) -> str:
    if wish != "auto":
        return wish
    return "cuda" if torch.cuda.is_available() else "cpu"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.add_argument("--state", type=Path, default=Path(__file__).parent / "state", help="where training is kept")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the finished checkpoint")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="torch.compile the steps; needs a C++ compiler")
    parser.add_argument("--start", type=Path, help="an exported checkpoint whose weights training goes on from")
    parser.add_argument("--wide", type=int, default=1, help="batches so many times as large, for a GPU")
    parser.add_argument("--scenes", type=int, default=1_000_000, help="at most so many scenes for each stretch")
    parser.add_argument("--until", default="distilled", choices=GOALS, help="stop after this stretch")
    parser.add_argument("--draft", action="store_true", help="only export what stands, finished or not")
    parser.add_argument("--autoencoder-steps", type=int, default=autoencoder.Plan.steps)
    parser.add_argument("--decoder-steps", type=int, default=autoencoder.Plan.decoder_steps)
    place, small, native = denoiser.Plan().stages
    parser.add_argument("--place-steps", type=int, default=place.steps)
    parser.add_argument("--small-steps", type=int, default=small.steps)
    parser.add_argument("--native-steps", type=int, default=native.steps)
    parser.add_argument("--distilled-steps", type=int, default=distil.Plan.steps)
    return parser.parse_args()


if __name__ == "__main__":
    main()
