"""What a campaign's numbers say: summaries, plain words, and a report in one HTML file."""
