"""Generated orders through both mappings and both simulators' arithmetic, judged by an oracle that
shares no code."""
