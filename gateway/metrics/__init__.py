"""What Prometheus is told: each process family by itself, the database by web; docs/adr/0020."""
