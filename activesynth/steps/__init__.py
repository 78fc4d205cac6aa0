"""One use case per step of the loop; each names the ports it touches and knows no adapter."""
