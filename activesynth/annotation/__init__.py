"""Who answers what a sample is: an oracle, the ensemble itself, or people."""
