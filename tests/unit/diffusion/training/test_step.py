"""Training: order, conditioning, one optimizer step by hand."""

import numpy as np
import pytest
import torch
from little_memory import limited

from rote.core.errors import DataError, RunError
from rote.core.seeds import child_seed
from rote.data.dataset import Dataset
from rote.diffusion.conditioning import conditioning
from rote.diffusion.config import ModelConfig, TrainConfig
from rote.diffusion.networks.layers import Dropout
from rote.diffusion.preconditioning import build_denoiser
from rote.diffusion.training.state import TrainState
from rote.diffusion.training.step import Order, Step

DROPOUT = {"width": 8, "channel_mult": (1, 2), "blocks": 1, "attention_resolutions": ()}


# -- the order of the data -------------------------------------------------------------------------


def test_a_fixed_order_cycles_one_permutation():
    order = Order(10, seed=3, fixed=True)
    first = order.batch(0, 10)
    assert sorted(first.tolist()) == list(range(10))
    assert order.batch(0, 30).tolist() == first.tolist() * 3
    assert order.batch(7, 6).tolist() == [*first[7:].tolist(), *first[:3].tolist()]


def test_a_shuffled_order_is_a_new_permutation_every_epoch():
    order = Order(10, seed=3, fixed=False)
    epochs = order.batch(0, 50).reshape(5, 10)
    assert [sorted(epoch) for epoch in epochs.tolist()] == [list(range(10))] * 5
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 5
    assert order.batch(13, 20).tolist() == epochs.flatten()[13:33].tolist()
    assert Order(10, seed=3, fixed=True).batch(0, 10).tolist() == epochs[0].tolist()
    assert Order(10, seed=4, fixed=False).batch(0, 10).tolist() != epochs[0].tolist()


# -- conditioning ----------------------------------------------------------------------------------


def test_conditioning_by_kind(digits):
    def labels(kind, **values):
        config = TrainConfig(images=1, labels=kind, **values)
        return conditioning(digits, config, seed=5)

    assert labels("none").labels is None
    assert labels("none").count == 0
    assert labels("true").labels.tolist() == digits.labels.tolist()
    assert labels("true").count == 10
    assert labels("unique").labels.tolist() == list(range(len(digits)))
    assert labels("unique").count == len(digits)
    drawn = labels("random", random_classes=4)
    rng = np.random.default_rng(child_seed(5, "labels"))
    assert drawn.labels.tolist() == rng.integers(4, size=len(digits)).tolist()
    assert (drawn.count, labels("random").count) == (4, 10)


def test_labels_that_are_not_there_are_one_line(digits):
    bare = Dataset(digits.items[:4], source="bare")
    with pytest.raises(DataError, match=r"bare has no labels; use train.labels=none"):
        conditioning(bare, TrainConfig(images=1, labels="true"), seed=0)
    with pytest.raises(DataError, match=r"bare has no classes; give train.random_classes"):
        conditioning(bare, TrainConfig(images=1, labels="random"), seed=0)


# -- one step --------------------------------------------------------------------------------------


def stepper(
    digits, *, dropout=0.0, change=lambda denoiser: None, on_note=lambda note: None, **values
):
    config = TrainConfig(images=10**6, **values)
    data = digits.subset(20, seed=0)
    conditions = conditioning(data, config, seed=1)
    model = ModelConfig(dropout=dropout, **DROPOUT)
    denoiser = build_denoiser(model, data.shape, label_count=conditions.count, seed=2)
    change(denoiser)
    state = TrainState(denoiser, config, torch.device("cpu"))
    device = torch.device("cpu")
    return state, Step(data, config, conditions, state, seed=1, device=device, on_note=on_note)


def gradients(state):
    return {name: p.grad.clone() for name, p in state.denoiser.named_parameters()}


@pytest.mark.parametrize("labels", ["none", "true"])
def test_micro_batches_accumulate_to_the_gradient_of_the_batch(digits, labels):
    found = {}
    for micro in (None, 16, 8, 1):
        state, step = stepper(digits, batch=16, micro_batch=micro, labels=labels)
        step()
        found[micro] = gradients(state), state.mean_loss()
    whole, loss = found[None]
    for micro in (16, 8, 1):
        split, split_loss = found[micro]
        assert split_loss == pytest.approx(loss, rel=1e-6)
        for name, expected in whole.items():
            # Sums of 16 images in another order: float32 roundings of the largest terms.
            tolerance = 1e-4 * float(expected.abs().max())
            assert torch.allclose(split[name], expected, rtol=0, atol=tolerance), name


def test_dropout_drops_the_same_however_the_batch_is_split(digits):
    found = {}
    for micro in (None, 16, 8, 2):
        state, step = stepper(digits, dropout=0.5, batch=16, micro_batch=micro)
        step()
        found[micro] = gradients(state)
    for name, expected in found[None].items():
        assert torch.equal(found[16][name], expected), name
        tolerance = 1e-4 * float(expected.abs().max())  # sums in another order, as above
        for micro in (8, 2):
            assert torch.allclose(found[micro][name], expected, rtol=0, atol=tolerance), name


@pytest.mark.parametrize("kind", ["unet", "transformer", "mlp"])
def test_every_architecture_drops_rows_of_the_whole_batch(kind):
    model = ModelConfig(architecture=kind, dropout=0.5, **DROPOUT | {"width": 16})
    shape = (6,) if kind == "mlp" else (1, 8, 8)
    denoiser = build_denoiser(model, shape, label_count=0, seed=0).train()
    with torch.no_grad():  # a new network puts nearly nothing through its dropout
        for parameter in denoiser.parameters():
            parameter.add_(0.1)
    generator = torch.Generator().manual_seed(0)
    x, sigma = torch.randn(6, *shape, generator=generator), torch.ones(6)

    def run(rows):
        for module in denoiser.modules():
            if isinstance(module, Dropout):
                module.rows, module.batch = rows, 6
        part = slice(None) if rows is None else rows
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(5)
            return denoiser(x[part], sigma[part], None)

    whole = run(None)
    assert torch.equal(run(None), whole)
    assert torch.equal(run(torch.arange(6)), whole)
    rows = torch.tensor([2, 3, 4])
    # The last bits of a network's output depend on its batch.
    assert torch.allclose(run(rows), whole[rows], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(run(rows), whole[:3], rtol=1e-2)


def test_dropout_takes_one_child_seed_for_every_step(digits):
    seeds = []

    def listen(denoiser):
        denoiser.register_forward_pre_hook(lambda *_: seeds.append(torch.initial_seed()))

    _, step = stepper(digits, dropout=0.5, change=listen, batch=16, micro_batch=8)
    step()
    step()
    assert seeds == [child_seed(1, "dropout", seen) for seen in (0, 0, 16, 16)]


# -- running out of memory -------------------------------------------------------------------------


def test_out_of_memory_halves_the_micro_batch_and_changes_nothing_else(digits):
    state, step = stepper(digits, dropout=0.3, batch=16, mirror=True, labels="true")
    split, split_step = stepper(
        digits, dropout=0.3, batch=16, mirror=True, labels="true", micro_batch=4
    )
    told = []
    small, small_step = stepper(
        digits,
        dropout=0.3,
        batch=16,
        mirror=True,
        labels="true",
        change=limited(5),
        on_note=told.append,
    )
    for _ in range(3):
        step(), split_step(), small_step()
    assert [note.split(";")[0] for note in told] == [
        "out of memory with 16 images per forward pass",
        "out of memory with 8 images per forward pass",
    ]
    # What failed has left nothing behind: bit for bit as if 4 had been asked for at once.
    assert torch.equal(small.flat.values, split.flat.values)
    assert small.mean_loss() == split.mean_loss()
    # Three steps of Adam, each of at most the learning rate, in almost the same directions.
    difference = (small.flat.values - state.flat.values).abs().max()
    assert difference < 0.05 * 3 * 2e-4


def test_no_memory_for_a_single_image_is_one_line(digits):
    _, step = stepper(digits, batch=4, change=limited(0))
    with pytest.raises(RunError, match="out of memory with a single image") as caught:
        step()
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_taken_for_missing_memory(digits):
    def broken(denoiser):
        def fail(module, arguments):
            raise RuntimeError("something else")

        denoiser.network.middle[0].register_forward_pre_hook(fail)

    _, step = stepper(digits, batch=4, change=broken)
    with pytest.raises(RuntimeError, match="something else"):
        step()


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_weight_decay_by_hand_on_one_step(digits, optimizer):
    rate, decay = 0.01, 0.3
    values = {"batch": 8, "optimizer": optimizer, "learning_rate": rate}
    state, step = stepper(digits, weight_decay=decay, **values)
    before = {name: p.detach().clone() for name, p in state.denoiser.named_parameters()}
    plain, plain_step = stepper(digits, **values)
    plain_step()  # the raw gradient, untouched by the decay
    step()
    for name, parameter in state.denoiser.named_parameters():
        old, gradient = before[name].double(), gradients(plain)[name].double()
        if optimizer == "adam":  # coupled: part of the gradient
            gradient = gradient + decay * old
        else:  # decoupled: shrinks the weight by itself
            old = old * (1 - rate * decay)
        # Adam's first step: both bias-corrected moments are the gradient itself.
        expected = old - rate * gradient / (gradient.abs() + 1e-8)
        # float32 moments and weights below 1: 1e-6 of the step size and 1e-7 of the weight
        assert torch.allclose(parameter.double(), expected, rtol=1e-6, atol=1e-4 * rate), name


def test_warm_up_is_linear_and_counts_images_and_epochs(digits):
    values = {"batch": 8, "learning_rate": 0.5, "warmup_images": 20, "warmup_epochs": 1}
    state, step = stepper(digits, **values)  # 20 items: 40 images of warm-up in all
    rates = []
    for _ in range(7):
        step()
        rates.append(state.optimizer.param_groups[0]["lr"])
    assert rates == [0.5 * min(1.0, seen / 40) for seen in range(8, 57, 8)]


@pytest.mark.parametrize(("value", "move"), [(float("nan"), 0.0), (float("inf"), -0.01)])
def test_broken_gradients_are_zeroed_or_bounded(digits, value, move):
    def break_one(denoiser):
        denoiser.network.input.weight.register_hook(lambda grad: torch.full_like(grad, value))

    state, step = stepper(digits, change=break_one, batch=8, learning_rate=0.01)
    before = state.denoiser.network.input.weight.detach().clone()
    other = state.denoiser.network.out.weight.detach().clone()
    step()
    moved = state.denoiser.network.input.weight - before
    # Adam's first step is the rate times the gradient's sign; float32 weights below 1
    assert torch.allclose(moved, torch.full_like(moved, move), rtol=0, atol=1e-7)
    assert not torch.equal(state.denoiser.network.out.weight, other)


def test_the_loss_of_a_log_line_is_the_mean_over_its_steps(digits):
    state, step = stepper(digits, batch=8)
    single = []
    for _ in range(3):
        step()
        single.append(state.mean_loss())
    again, step = stepper(digits, batch=8)
    for _ in range(3):
        step()
    assert again.mean_loss() == pytest.approx(np.mean(single), rel=1e-15)
