"""The tables of revision 0004, with what they mean: frozen."""

from __future__ import annotations

TABLES = """
CREATE TABLE activesynth.generators (
    name text NOT NULL,
    card text NOT NULL,
    corpus text NOT NULL,
    licence text NOT NULL,
    "rows" integer NOT NULL,
    document jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name)
);

CREATE TABLE activesynth.experiments (
    name text NOT NULL,
    registration text NOT NULL,
    document jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, registration)
);

CREATE TABLE activesynth.experiment_cells (
    experiment text NOT NULL,
    registration text NOT NULL,
    phase text NOT NULL,
    variant text NOT NULL,
    seed integer NOT NULL,
    campaign text NOT NULL,
    predictions text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (experiment, registration, phase, variant, seed),
    FOREIGN KEY (experiment, registration)
        REFERENCES activesynth.experiments (name, registration),
    FOREIGN KEY (campaign)
        REFERENCES activesynth.campaigns (name),
    CONSTRAINT experiment_cells_phase_check CHECK (phase IN ('tuning', 'confirmation'))
);

CREATE TABLE activesynth.experiment_scores (
    experiment text NOT NULL,
    registration text NOT NULL,
    phase text NOT NULL,
    variant text NOT NULL,
    seed integer NOT NULL,
    iteration integer NOT NULL,
    arm text NOT NULL,
    metric text NOT NULL,
    value double precision NOT NULL,
    n integer NOT NULL,
    PRIMARY KEY (experiment, registration, phase, variant, seed, iteration, arm, metric),
    CONSTRAINT experiment_scores_cell_fkey
        FOREIGN KEY (experiment, registration, phase, variant, seed)
        REFERENCES activesynth.experiment_cells
            (experiment, registration, phase, variant, seed)
);
"""

COMMENTS: dict[str, dict[str, str]] = {
    "generators": {
        "": "Generators trained on a corpus of their own, which campaigns can name",
        "name": "What a campaign calls it by; it never means another generator",
        "card": "Digest of the generator's card in the object store",
        "corpus": "Digest of the manifest that lists the rows it learnt from",
        "licence": "Licence of the corpus, in the words of whoever trained the generator",
        "rows": "Rows of the corpus",
        "document": "The corpus file it was trained by",
        "recorded_at": "When it was first recorded",
    },
    "experiments": {
        "": "Experiments as they were registered before they ran; a changed file is a new row",
        "name": "Experiment",
        "registration": "Digest of the document",
        "document": "What the experiment file and the campaign it varies say, defaults left out",
        "recorded_at": "When it was registered",
    },
    "experiment_cells": {
        "": "One variant and one seed of an experiment, run to its end and scored",
        "experiment": "Experiment",
        "registration": "Under which registration it ran",
        "phase": "tuning (scored on gate) or confirmation (scored on test, read once)",
        "variant": "Which changes of the campaign file",
        "seed": "The campaign's seed, from which train and pool are drawn",
        "campaign": "Campaign that ran it; its lineage tells the rest",
        "predictions": "Digest of what every arm predicted for every row, in the object store",
        "recorded_at": "When it was scored",
    },
    "experiment_scores": {
        "": "What each arm scored on rows that steered and decided nothing, one row per metric",
        "experiment": "Experiment",
        "registration": "Under which registration it ran",
        "phase": "tuning (scored on gate) or confirmation (scored on test, read once)",
        "variant": "Which changes of the campaign file",
        "seed": "The campaign's seed",
        "iteration": "Iteration whose models were scored",
        "arm": "Arm",
        "metric": "Metric, or labels, synthetic, seconds: what had been spent by then",
        "value": "Mean over the arm's replicates",
        "n": "Rows it was computed on, 0 where it is no metric",
    },
}
