"""Trainers, predictors and verifiers: adapters that turn data into fitted models."""
