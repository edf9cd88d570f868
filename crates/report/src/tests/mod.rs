//! Whole runs through every report.

mod console;
mod formats;
mod recording;
mod sample;
mod summary;
