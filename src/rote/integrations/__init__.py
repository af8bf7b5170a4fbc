"""Where people work: a metric of torchmetrics, callbacks of Lightning and of transformers' trainers."""
