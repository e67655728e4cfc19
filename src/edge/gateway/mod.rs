//! The TCP gateway: carries connections to the plane that the route table names, and tells the controllers
//! what it sees.
//!
//! It follows the table and never goes back: of each group it keeps the highest epoch it has seen. While
//! nobody tells it anything it stays with the last route. When a connect fails it tries the other plane:
//! both planes of a shared group may serve.

mod address;
mod admin;
mod connection;
mod follow;

mod hints;
pub mod limits;
mod listener;
mod route;
mod running;
mod settings;
mod upstream;

pub use running::Gateway;
pub use settings::{GatewayError, GatewaySettings};

#[cfg(test)]
mod tests;
