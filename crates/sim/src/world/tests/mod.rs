//! The world as a whole, in virtual time.

mod lab;
mod life;
mod services;
mod switch;
