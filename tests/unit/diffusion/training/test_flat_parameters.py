"""Flat parameters: the same values and gradients, in one tensor."""

import torch
from torch.nn import functional

from rote.diffusion.training.flat_parameters import ALIGNMENT, FlatParameters


def modules():
    """Two equal modules, the second one flattened; 3 * 5 + 5 + 5 * 2 + 2 parameters."""
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    other = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    other.load_state_dict(plain.state_dict())
    return plain, other, FlatParameters(other)


def test_values_and_gradients_are_those_of_the_module():
    plain, other, flat = modules()
    x = torch.randn(7, 3)
    for _ in range(2):  # gradients add up, as they do in a module
        functional.mse_loss(plain(x), torch.ones(7, 2)).backward()
        functional.mse_loss(other(x), torch.ones(7, 2)).backward()
    values, gradients = flat.views(flat.values.detach()), flat.views(flat.gradient)
    for name, parameter in plain.named_parameters():
        assert torch.equal(values[name], parameter)
        assert torch.equal(gradients[name], parameter.grad)
        assert values[name].data_ptr() == other.get_parameter(name).data_ptr()
        assert gradients[name].data_ptr() == other.get_parameter(name).grad.data_ptr()


def test_a_step_on_the_flat_tensor_is_a_step_of_the_module():
    plain, other, flat = modules()
    x = torch.randn(7, 3)
    steps = [
        torch.optim.Adam(parameters, lr=0.1, weight_decay=0.2, fused=True)
        for parameters in (plain.parameters(), [flat.values])
    ]
    for _ in range(3):
        for module, step in zip((plain, other), steps, strict=True):
            step.zero_grad(set_to_none=False)
            functional.mse_loss(module(x), torch.ones(7, 2)).backward()
            step.step()
    for name, parameter in plain.named_parameters():
        # Three steps of float32 arithmetic, in vectors of another length.
        assert torch.allclose(other.get_parameter(name), parameter, rtol=0, atol=1e-6)


def test_parameters_are_aligned_and_the_padding_stays_zero():
    _, other, flat = modules()
    assert flat.values.numel() == 4 * ALIGNMENT
    for parameter in other.parameters():
        assert parameter.storage_offset() % ALIGNMENT == 0
    used = sum(parameter.numel() for parameter in other.parameters())
    adam = torch.optim.AdamW([flat.values], lr=0.1, weight_decay=0.2, fused=True)
    for _ in range(2):
        other(torch.randn(7, 3)).sum().backward()
        adam.step()
    assert int(flat.values.count_nonzero()) == used
