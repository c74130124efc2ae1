"""In-memory stand-ins for the two vendors, written from their public documentation alone."""
