//! Metrics (one registry, every definition here) and logging.
