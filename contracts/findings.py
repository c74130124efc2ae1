"""Which findings of a link a person still has to act on. Pure."""

from contracts.messages import Finding, Link, Settled

REMARK_MAX = 500  # characters of the remark with which a person settles a finding


def settlement(link: Link, finding: Finding) -> Settled | None:
    """How a person has settled a finding; None where nobody has, or where it says something else
    since then."""
    held = link.settled.get(finding.kind)
    same = held is not None and (held.text, held.amount) == (finding.text, finding.amount)
    return held if same else None


def unsettled(link: Link) -> list[Finding]:
    """The findings of a link that nobody has settled as they stand now."""
    return [finding for finding in link.findings if settlement(link, finding) is None]
