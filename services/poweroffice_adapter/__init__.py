"""PowerOffice Go: readings of its API become events, commands become guarded writes."""
