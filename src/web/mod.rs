//! Routes, pages, charts, exports, the door.
