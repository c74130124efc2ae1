"""Why Kafka does not let us in. aiokafka says of every failure at the start that it is unable to
bootstrap; here each broker is asked once more and what happens is told apart: what a person must
correct, and what may pass by itself."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from contracts.said import Said, english, say
from contracts.settings import KafkaSettings
from runtime.kafka import Kafka
from runtime.masking import masked
from runtime.unusable import Unusable

ASK_S = 4.0  # of each question to a broker
NO_MECHANISM = "NONE"  # no broker has it, so nothing is sent to log in with
PROTOCOL = "kafka.security_protocol"


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and of which `key`. `lasting` where only a person can help, as `fix` says."""

    said: Said
    lasting: bool
    key: str = ""
    fix: Said | None = None

    @property
    def words(self) -> str:
        """All of it in one line."""
        told = english(self.said) if self.fix is None else english(self.said, self.fix)
        return f"{self.key}: {told}" if self.key else told


async def why(settings: KafkaSettings) -> Trouble | None:
    """Why no broker can be used; None where one can, by now. What lasts at one broker is told
    before what may pass."""
    try:
        options = Kafka(settings).options()
    except Unusable as error:
        return Trouble(say("bare", why=error), lasting=True)
    found: list[Trouble] = []
    for host, port, _ in collect_hosts(settings.bootstrap):
        trouble = await _ask(settings, options, host, port)
        if trouble is None:
            return None
        found.append(trouble)
    return max(found, key=lambda each: each.lasting)


async def _ask(
    settings: KafkaSettings, options: dict[str, Any], host: str, port: int
) -> Trouble | None:
    at, mechanism = f"{host}:{port}", settings.sasl_mechanism
    try:
        await _connect(host, port, options)
    except ssl.SSLCertVerificationError as error:
        return _uncertain(at, settings, error)
    except UnsupportedSaslMechanismError:
        wrong = say("kafka_mechanism", place=at, value=mechanism)
        return _lasting("kafka.sasl_mechanism", wrong, say("kafka_mechanism_set"))
    except IllegalSaslStateError:
        plain = "SSL" if "SSL" in settings.security_protocol else "PLAINTEXT"
        wrong = say("kafka_nameless", place=at, value=settings.security_protocol)
        return _lasting(PROTOCOL, wrong, say("kafka_nameless_set", value=plain))
    except SaslAuthenticationFailed as error:
        said = " ".join(masked(str(error)).split())
        user = {"name": settings.sasl_username, "value": mechanism}
        wrong = say("kafka_user", place=at, why=said, **user)
        return _lasting("kafka.sasl_password", wrong, say("kafka_user_set"))
    except (KafkaError, OSError, EOFError, ValueError, AssertionError) as error:
        if isinstance(error, ConnectionRefusedError):
            return Trouble(say("kafka_deaf", place=at), lasting=False)
        return await _other(settings, options, host, port) or Trouble(
            _words(error, at), lasting=False
        )
    return None


async def _connect(host: str, port: int, options: dict[str, Any]) -> None:
    """Connect as a client does, and ask for the brokers."""
    connection = await _connection(host, port, options)
    try:
        await asyncio.wait_for(connection.send(MetadataRequest([])), ASK_S)
    finally:
        connection.close()


async def _connection(host: str, port: int, options: dict[str, Any]) -> AIOKafkaConnection:
    names = (
        "security_protocol",
        "ssl_context",
        "sasl_mechanism",
        "sasl_plain_username",
        "sasl_plain_password",
    )
    given = {name: options[name] for name in names if name in options}
    limit_ms = int(ASK_S * 1000)
    return await create_conn(host, port, client_id="tandem", request_timeout_ms=limit_ms, **given)


async def _other(
    settings: KafkaSettings, options: dict[str, Any], host: str, port: int
) -> Trouble | None:
    """Whether the port speaks another protocol than the settings say."""
    at, protocol = f"{host}:{port}", settings.security_protocol
    named = "SASL_" if "SASL" in protocol else ""
    if "SSL" not in protocol and await _speaks_tls(host, port):
        better = "SASL_SSL" if named else "SSL or SASL_SSL"
        wrong = say("kafka_tls", place=at, value=protocol)
        return _lasting(PROTOCOL, wrong, say("kafka_tls_set", value=better))
    if (
        "SSL" in protocol
        and not await _speaks_tls(host, port)
        and await _asks(host, port, {}) is not None
    ):
        wrong = say("kafka_plain", place=at, value=protocol)
        return _lasting(PROTOCOL, wrong, say("kafka_plain_set", value=f"{named}PLAINTEXT"))
    context = {name: options[name] for name in ("ssl_context",) if name in options}
    if not named and await _asks(host, port, context) == "a name":
        wrong = say("kafka_who", place=at, value=protocol)
        better = "SASL_SSL" if protocol == "SSL" else "SASL_PLAINTEXT"
        return _lasting(PROTOCOL, wrong, say("kafka_who_set", value=better))
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(ASK_S):
            _, writer = await asyncio.open_connection(host, port, ssl=anybody)
    except (OSError, EOFError, TimeoutError):
        return False
    writer.close()
    return True


async def _asks(host: str, port: int, context: dict[str, Any]) -> str | None:
    """What a listener wants before it answers: "a name", "nothing", or None where it is no Kafka
    that can be told."""
    protocol = "SASL_SSL" if context else "SASL_PLAINTEXT"
    given = {**context, "security_protocol": protocol, "sasl_mechanism": NO_MECHANISM}
    try:
        (await _connection(host, port, given)).close()
    except UnsupportedSaslMechanismError:
        return "a name"
    except IllegalSaslStateError:
        return "nothing"
    except (KafkaError, OSError, EOFError, ValueError, AssertionError):
        return None
    return None


def _uncertain(at: str, settings: KafkaSettings, error: ssl.SSLCertVerificationError) -> Trouble:
    why = error.verify_message or "it cannot be verified"
    wrong = say("kafka_untrusted", place=at, why=why)
    if error.verify_code in (62, 64):  # OpenSSL: the name, the IP address is another
        return _lasting("kafka.bootstrap", wrong, say("kafka_named_set"))
    named = (
        say("kafka_authorities", file=settings.ssl_cafile)
        if settings.ssl_cafile
        else say("kafka_authority")
    )
    both = say("bare", why=[wrong, named])
    return _lasting("kafka.ssl_cafile", both, say("kafka_authority_set"))


def _lasting(key: str, wrong: Said, fix: Said) -> Trouble:
    return Trouble(wrong, lasting=True, key=key, fix=fix)


def _words(error: Exception, at: str) -> Said:
    if isinstance(error, TimeoutError):
        return say("kafka_silent", place=at)
    if isinstance(error, KafkaConnectionError):
        return say("kafka_closes", place=at)
    said = " ".join(masked(str(error)).split()) or type(error).__name__
    return say("kafka_away", place=at, why=said)
