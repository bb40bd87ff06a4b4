"""What a release is held to beyond the tests."""
