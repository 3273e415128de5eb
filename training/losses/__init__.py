"""Contrastive losses in float32, and the rules of the learned temperature."""
