"""Where a model fails: slices, clusters, uncertain regions, corruptions."""
