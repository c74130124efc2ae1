"""How any service meets Kafka and HTTP; no business words inside."""
