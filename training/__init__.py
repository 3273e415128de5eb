"""The trainer of dual encoders: pairs, loss, schedule, checkpoints, export."""
