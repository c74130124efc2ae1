"""What every service needs of Kafka and HTTP; no business logic."""
