//! Help for the tests of the API.

pub mod schema;
