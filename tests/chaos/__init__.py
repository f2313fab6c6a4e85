"""Faults and kills, by the dozen: what the product does about each is a row of a table (`make chaos`). See docs/faults.md."""
