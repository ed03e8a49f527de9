"""What SDKs inside apps call."""
