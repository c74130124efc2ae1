"""The whole system on one machine: a real Kafka, simulated vendors, the services, scripted edits, a
check."""
