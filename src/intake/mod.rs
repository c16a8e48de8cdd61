//! Bytes of any format become rows; `accept` is the one door to the inbox.
