"""Weights in and out, in the namings of the official code, of timm and of torchvision."""
