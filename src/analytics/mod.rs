//! Frames in, typed figures out: rollups, snapshot, and one file per subject.
