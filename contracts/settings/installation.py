"""Settings of an installation: Kafka, ports, addresses, the log and the page."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from contracts.settings.base import Model
from contracts.settings.values import (
    Brokers,
    Count,
    HostName,
    MessageBytes,
    Port,
    Positive,
    TopicPrefix,
    contradiction,
)
from contracts.topics import MAX_MESSAGE_BYTES


class KafkaSettings(Model):
    """How every process reaches Kafka and what the topics look like."""

    bootstrap: Brokers = Field(
        default="127.0.0.1:9092", description="Brokers, host:port, separated by commas."
    )
    topic_prefix: TopicPrefix = Field(
        default="tandem.", description="Begins the name of every topic."
    )
    partitions: Count = Field(
        default=12, description="Partitions of every topic; fixed when the topics are created."
    )
    replication: Count = Field(
        default=1, description="Replicas of every topic; 3 where there are three brokers."
    )
    max_message_bytes: MessageBytes = Field(
        default=MAX_MESSAGE_BYTES,
        description="The largest message; topics that allow less are raised to it.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="How clients talk to the brokers."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_username: str | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    sasl_password: SecretStr | None = Field(
        default=None, description="Needed with SASL_PLAINTEXT and SASL_SSL."
    )
    ssl_cafile: str | None = Field(
        default=None, description="PEM file of the authority; the system's when unset."
    )

    @model_validator(mode="after")
    def _complete(self) -> "KafkaSettings":
        keys = ("sasl_mechanism", "sasl_username", "sasl_password")
        absent = [key for key in keys if getattr(self, key) is None]
        if self.security_protocol.startswith("SASL") and absent:
            contradiction(*((key, "is missing") for key in absent))
        return self


class PortSettings(Model):
    """TCP ports the services listen on; 0 takes a free one."""

    console: Port = Field(
        default=8080, description="Web page of the operator; 0 takes a free port, as for all ports."
    )
    chargebee_adapter: Port = Field(
        default=8081, description="Webhooks, health and metrics of the Chargebee adapter."
    )
    poweroffice_adapter: Port = Field(
        default=8082, description="Health and metrics of the PowerOffice adapter."
    )
    linker: Port = Field(default=8083, description="Health and metrics of the linker.")


class ReachSettings(Model):
    """Under which host other processes reach the services, where that is not this machine."""

    chargebee_adapter: HostName | None = Field(
        default=None, description="Host of the Chargebee adapter for others; unset: this machine."
    )
    poweroffice_adapter: HostName | None = Field(
        default=None, description="Host of the PowerOffice adapter for others; unset: this machine."
    )
    linker: HostName | None = Field(
        default=None, description="Host of the linker for others; unset: this machine."
    )


class LogSettings(Model):
    """What the services write to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: JSON unless on a terminal."
    )


class ConsoleUser(Model):
    """A person who may log in to the console."""

    password_hash: str = Field(
        pattern=r"\$argon2id\$.+",
        description="Argon2 hash of the password, as `tandem password` prints it.",
    )
    role: Literal["reader", "operator", "admin"] = Field(
        default="reader",
        description="reader looks, operator decides too, admin also forgets and switches the mode.",
    )


class ConsoleSettings(Model):
    """The read model behind `tandem`, and the console's web page."""

    data: str = Field(
        default=".tandem/console",
        description="Directory of the read model (made anew when deleted) and of saved filters.",
    )
    patience: Positive = Field(
        default=1,
        description="Times how long commands wait for answers and heartbeats; more on a slow "
        "machine.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="Logs in to the web page as admin; of at least 16 characters. The page shows "
        "nothing without it or a user.",
    )
    users: dict[str, ConsoleUser] = Field(
        default={}, description="Who may log in to the web page, by name."
    )
    https: bool = Field(
        default=False,
        description="A proxy serves the page over TLS: its cookies are sent over TLS only.",
    )

    @model_validator(mode="after")
    def _token_is_long(self) -> "ConsoleSettings":
        if self.token is not None and len(self.token.get_secret_value()) < 16:
            contradiction(("token", "has fewer than 16 characters", "set a longer one"))
        return self
