"""What the decision API is measured against, on the same server and database."""
