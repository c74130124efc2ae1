"""The console's web page: what `tandem` shows and does, in a browser."""
