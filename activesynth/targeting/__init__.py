"""Where the budget goes: allocation, requests, screening, selection, sampling and weighting."""
