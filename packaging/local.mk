# Installed files that are not programs.
