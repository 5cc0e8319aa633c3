# Unit tests of src/daemon.
