"""Commands of one model: `rote train`, `rote sample`, `rote optimum`, `rote gap` and so on."""
