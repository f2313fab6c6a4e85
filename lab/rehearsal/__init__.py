"""An operator's own inventory, run against a rack that is made of it: `make rehearse INVENTORY=...`, docs/profiles.md."""
