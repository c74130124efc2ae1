"""What a person can try while the demo stays up; each block can be pasted whole into a second
terminal."""

import sys
from pathlib import Path
from typing import NamedTuple

from contracts.entities import EntityName, System
from demo.installation import Installation
from demo.progress import Progress

NEW_CUSTOMER = "demo-ny-kunde"


class Edited(NamedTuple):
    """A field that the demo has edited."""

    system: System
    entity: EntityName
    id: str
    field: str


def hints(installation: Installation, progress: Progress, edited: Edited | None) -> str:
    """Blocks of commands, indented by two, under a line that ends with a colon; then the addresses
    of the pages."""
    chargebee, go = installation.url("chargebee"), installation.url("poweroffice")
    edited = edited or Edited("chargebee", "customer", "ida-berge-118", "phone")
    link = progress.by_id("customer", "chargebee", NEW_CUSTOMER)
    page = "" if link is None or link.poweroffice is None else f"/Customers/{link.poweroffice.id}"
    kcat = f"kcat -b {installation.bootstrap} -Ceq -K ' ' -t tandem"
    return f"""
It stays up until Ctrl-C. Paste into a second terminal; the last one goes on:
  export PATH="{Path(sys.executable).parent}:$PATH"
  . {installation.env_path}
  tandem status
  tandem findings
  tandem plan
  tandem explain {" ".join(edited)}
  curl -sd phone='%2B47 90909090' {chargebee}/customers/{NEW_CUSTOMER}
  tandem watch

Pages of the console (token {installation.console_token}) and of each vendor:
  {installation.url("console")}/
  {chargebee}/customers/{NEW_CUSTOMER}
  {go}{page}

What flows, where kcat is installed (apt install kcat):
  {kcat}.customers | grep {NEW_CUSTOMER}
  {kcat}.journal | grep {NEW_CUSTOMER}

Logs of every process: {installation.data_dir}"""
