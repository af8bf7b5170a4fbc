"""A saved pipeline of random weights, opened once for all tests of pipelines."""

import pytest
from made_once import made_once
from pipelines import saved

from rote.diffusion.pipelines.opened import OpenPipeline, open_pipeline

pytest.importorskip("diffusers")


@pytest.fixture(scope="session")
def pipeline_folder(tmp_path_factory):
    return made_once(tmp_path_factory, "pipeline", saved)


@pytest.fixture(scope="session")
def opened(pipeline_folder) -> OpenPipeline:
    return open_pipeline(pipeline_folder, device="cpu")
