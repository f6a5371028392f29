//! argv -> [`flags::Args`], and the texts that are made from the tables of flags and commands.

pub(crate) mod command;
pub(crate) mod flags;
pub(crate) mod help;
pub(crate) mod parse;
pub(crate) mod suggest;
pub(crate) mod value;
