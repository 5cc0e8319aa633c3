# Unit tests of src/observe.
