//! The simulator (F7): the same kernel in a seeded world.
