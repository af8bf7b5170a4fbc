"""A network that runs out of memory, without a GPU."""

import torch


def limited(most):
    """Make a network that has no memory for more than some images at once, as a GPU says it."""

    def change(denoiser):
        def check(module, arguments):
            if len(arguments[0]) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        denoiser.network.middle[0].register_forward_pre_hook(check)

    return change
