"""Where data comes from: sources that read rows into one common shape."""
