//! One file per report: (snapshot, query) to typed report.
