//! Typed facts about a host, and how they are read from the texts of files and commands.
