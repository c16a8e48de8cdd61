//! Detectors' verdicts, the state machine, incidents, sentences.
