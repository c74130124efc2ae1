"""The only language the services share: canonical entities, messages, topics and settings."""
