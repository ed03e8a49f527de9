"""What callers and devices may ask of delivery."""
