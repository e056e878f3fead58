"""The only place that knows everything: settings in, wired processes out."""
