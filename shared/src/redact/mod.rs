//! Redaction: removes secrets from a stream of bytes in bounded memory; fails closed.
