# Unit tests of src/admin.
