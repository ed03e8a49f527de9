"""The vendor's second API for sending: another shape and other statuses for the same ask (§7)."""
