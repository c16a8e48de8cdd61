//! One file per page: the query it reads, the template it fills, the handler.
