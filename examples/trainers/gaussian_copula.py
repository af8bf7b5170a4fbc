"""A Gaussian copula, the plainest synthesizer of tables: margins as they are, dependence of a normal law.

It needs numpy and scipy alone. It keeps no row, so it hardly ever copies one: a control for tables.

rote emm --trainer gaussian_copula:trainer --data wine --out emm
"""

import numpy as np
from scipy.special import ndtr, ndtri

import rote

SHRINKAGE = 0.05


def trainer(job: rote.TrainingJob) -> rote.TrainedModel:
    """Fit ranks to a normal law; a sample is put back through the quantiles of each column."""
    rows = job.data.items.astype(np.float64)
    # A categorical column is one number for each category (1 at its own); any other column is one
    # number, or two where cells may be missing.
    widths = []
    for column in job.data.schema.columns:
        widths += [column.width] if column.kind == "categorical" else [1] * column.width
    blocks = np.split(rows, np.cumsum(widths)[:-1], axis=1)
    columns = [block.argmax(1) if block.shape[1] > 1 else block[:, 0] for block in blocks]
    rng = np.random.default_rng(job.seed)
    ranks = [np.lexsort((rng.random(len(rows)), column)).argsort() for column in columns]
    scores = ndtri((np.array(ranks) + 0.5) / len(rows))
    dependence = np.atleast_2d(np.corrcoef(scores)) * (1 - SHRINKAGE)
    np.fill_diagonal(dependence, 1)

    def sample(num: int, seed: int) -> np.ndarray:
        normal = np.random.default_rng(seed).multivariate_normal(
            np.zeros(len(columns)), dependence, size=num
        )
        made = []
        for column, width, place in zip(columns, widths, ndtr(normal).T, strict=True):
            whole = (
                len(np.unique(column)) < len(column) / 2
            )  # counts and categories: no values between
            cells = np.quantile(column, place, method="inverted_cdf" if whole else "linear")
            made.append(np.eye(width)[cells.astype(int)] if width > 1 else cells[:, None])
        return np.hstack(made).astype(np.float32)

    return rote.TrainedModel(images_seen=len(rows), sample=sample, reusable=True)
