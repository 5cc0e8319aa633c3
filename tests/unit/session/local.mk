# Unit tests of src/session.
