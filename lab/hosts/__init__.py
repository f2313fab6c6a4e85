"""Real systemd hosts for the lab, made with systemd-nspawn from Debian packages alone."""
