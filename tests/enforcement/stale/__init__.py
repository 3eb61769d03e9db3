"""Programs of their own that change what decisions depend on, and that decide meanwhile (see ``test_no_stale_permit``)."""
