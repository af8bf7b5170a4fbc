"""Callbacks in real trainers: a check when it is due, what is logged, and the end of the training."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import rote
from rote.memorization.monitor.options import OnsetTest

EVERY = 64


class Copier(nn.Module):
    """Stands for a generative model: after some steps its samples are training images."""

    def __init__(self, training: torch.Tensor, others: torch.Tensor, *, from_step: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.training_images, self.others, self.from_step = training, others, from_step
        self.steps, self.modes = 0, []

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        return (self.weight * x).square().mean()

    def sample(self, num: int, seed: int) -> torch.Tensor:
        self.modes.append((self.training, torch.is_grad_enabled()))
        source = self.training_images if self.steps >= self.from_step else self.others
        return source[torch.randperm(len(source), generator=torch.manual_seed(seed))[:num]]


@pytest.fixture
def model() -> Copier:
    digits = rote.load_images("digits").tensor()
    return Copier(digits[:200], digits[200:], from_step=5)


@pytest.fixture
def monitor(model: Copier) -> rote.MemorizationMonitor:
    return rote.MemorizationMonitor(
        model.training_images,
        every_images=EVERY,
        samples=40,
        stop_at="begun",
        test=OnsetTest(null_rate=0.001),
    )


def test_lightning_logs_checks_and_stops(model, monitor, tmp_path) -> None:
    pl = pytest.importorskip("pytorch_lightning")
    from rote.integrations.lightning import MemorizationCallback

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def training_step(self, batch, batch_idx):
            return self.inner.loss(batch[0].float())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.01)

    logged = []

    class Logged(pl.Callback):
        def on_train_batch_end(self, trainer, *_) -> None:
            logged.append({k: float(v) for k, v in trainer.callback_metrics.items()})

    watch = MemorizationCallback(monitor, lambda module, num, seed: module.inner.sample(num, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's own, about loaders and other libraries
        trainer = pl.Trainer(
            max_epochs=3,
            callbacks=[watch, Logged()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            accelerator="cpu",
            default_root_dir=tmp_path,
        )
        images = torch.zeros(256, 1, 8, 8, dtype=torch.uint8)
        trainer.fit(Module(), DataLoader(TensorDataset(images), batch_size=16))
    assert [check.images_seen for check in monitor.curve] == [64, 128]
    assert monitor.begun == watch.images_seen == 128
    assert logged[-1]["memorization"] == 1
    assert logged[-1]["memorization_low"] == pytest.approx(
        monitor.curve[-1].memorized.low, abs=1e-6
    )
    assert model.modes == [(False, False)] * 2
    assert model.training
    again = MemorizationCallback(monitor, lambda *_: None)
    again.load_state_dict(watch.state_dict())
    assert again.images_seen == 128


def test_transformers_evaluates_and_stops(model, monitor, tmp_path) -> None:
    transformers = pytest.importorskip("transformers")
    from rote.integrations.transformers import MemorizationCallback

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x, labels=None):
            return {"loss": self.inner.loss(x)}

    rows = [{"x": torch.zeros(4)} for _ in range(256)]
    watch = MemorizationCallback(monitor, lambda net, num, seed: net.inner.sample(num, seed))
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=16,
        eval_strategy="steps",
        eval_steps=4,
        num_train_epochs=3,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' own, about other libraries
        trainer = transformers.Trainer(
            model=Net(),
            args=arguments,
            train_dataset=rows,
            eval_dataset=rows[:16],
            callbacks=[watch],
        )
        trainer.train()
    found = [row for row in trainer.state.log_history if "eval_memorization" in row]
    assert [row["step"] for row in found] == [4, 8]
    assert [row["eval_memorization"] for row in found] == [0, 1]
    assert trainer.state.global_step == 8
    assert monitor.begun == 128
    assert set(model.modes) == {(False, False)}
