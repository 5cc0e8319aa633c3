# Unit tests of src/upstream.
