"""Public names and where they live: read by type checkers, and by `lazy_loader` when rote is imported."""

from .core.errors import RoteError as RoteError, RoteWarning as RoteWarning
from .data.dataset import Dataset as Dataset
from .data.load import load_images as load_images
from .diffusion.checkpoint import Checkpoint as Checkpoint, load_checkpoint as load_checkpoint
from .diffusion.config import (
    ModelConfig as ModelConfig,
    SampleConfig as SampleConfig,
    TrainConfig as TrainConfig,
)
from .diffusion.optimal_denoiser import OptimalDenoiser as OptimalDenoiser
from .diffusion.probes.gap_of_run import Gaps as Gaps, gap as gap
from .diffusion.probes.membership_of_run import (
    Membership as Membership,
    membership as membership,
)
from .diffusion.pipelines.folder import PromptSets as PromptSets, sample_pipeline as sample_pipeline
from .diffusion.pipelines.opened import (
    OpenPipeline as OpenPipeline,
    open_pipeline as open_pipeline,
)
from .diffusion.pipelines.screen import (
    ScreenedPrompts as ScreenedPrompts,
    screen_prompts as screen_prompts,
)
from .diffusion.sample import sample as sample
from .diffusion.training.loop import train as train
from .experiments.config import (
    ExperimentConfig as ExperimentConfig,
    SearchConfig as SearchConfig,
    preset as preset,
)
from .experiments.mitigation.comparison import Trial as Trial
from .experiments.mitigation.try_remedies import try_remedies as try_remedies
from .experiments.mitigation.case import Case as Case
from .experiments.mitigation.remedy import Retrain as Retrain
from .experiments.mitigation.tried import Remedies as Remedies
from .experiments.presentation.rescore import Rescored as Rescored
from .experiments.rescore.rescore import rescore as rescore
from .experiments.search.answer import EmmEstimate as EmmEstimate
from .experiments.search.search import estimate_emm as estimate_emm
from .experiments.studies.result import StudyResult as StudyResult
from .experiments.studies.study import run_study as run_study
from .experiments.trainers.config import TrainerConfig as TrainerConfig
from .experiments.trainers.protocol import (
    TrainedModel as TrainedModel,
    TrainingJob as TrainingJob,
)
from .memorization.audit.audit import audit as audit
from .memorization.audit.compare import Comparison as Comparison, compare as compare
from .memorization.audit.finished import Audit as Audit
from .memorization.dedup.dedup import (
    Deduplicated as Deduplicated,
    dedup as dedup,
    undo_dedup as undo_dedup,
)
from .memorization.monitor.monitor import MemorizationMonitor as MemorizationMonitor
from .memorization.monitor.rate import MemorizationRate as MemorizationRate
from .memorization.presentation.assertion import assert_not_memorized as assert_not_memorized
from .neighbors.nearest import nearest_neighbors as nearest_neighbors
from .neighbors.search import Neighbors as Neighbors
from .report import write_report as write_report
from .stats.rates import Rate as Rate, wilson as wilson
