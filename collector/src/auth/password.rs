//! Password hashing: argon2id with the parameters that OWASP names as the floor.
//!
//! Hashing takes 19 MiB and about 50 ms of a core, so a gate lets only a few run at once.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::error::{AppError, AppResult};
use crate::tasks::Tasks;

/// Shortest password.
pub const MIN_CHARS: usize = 12;
/// Longest password: hashing more only costs time.
pub const MAX_CHARS: usize = 256;

/// Hashes and verifies, a few at a time.
#[derive(Debug, Clone)]
pub struct Passwords {
    gate: Arc<Semaphore>,
    memory_kib: u32,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            gate: Arc::new(Semaphore::new((cores / 2).max(1))),
            memory_kib: 19_456,
        }
    }
}

impl Passwords {
    /// With little memory, for tests that are not about hashing.
    pub fn cheap() -> Self {
        Self {
            memory_kib: 64,
            ..Self::default()
        }
    }

    fn argon2(&self) -> Argon2<'static> {
        let params =
            Params::new(self.memory_kib, 2, 1, None).expect("constants are within argon2's limits");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// The stored form of a password.
    pub async fn hash(&self, tasks: &Tasks, password: String) -> AppResult<String> {
        let _permit = self.gate.acquire().await.map_err(AppError::internal)?;
        let argon2 = self.argon2();
        let hashed = tasks
            .cpu("hash a password", move || {
                argon2
                    .hash_password_with_salt(password.as_bytes(), &super::random::<16>())
                    .map(|h| h.to_string())
            })
            .await?;
        hashed.map_err(|e| AppError::internal(e.to_string()))
    }

    /// Whether the password fits the stored form. Without one the same work is done for nothing,
    /// so that the time does not tell whether an account exists.
    pub async fn verify(
        &self,
        tasks: &Tasks,
        password: String,
        stored: Option<String>,
    ) -> AppResult<bool> {
        let _permit = self.gate.acquire().await.map_err(AppError::internal)?;
        let argon2 = self.argon2();
        let fits = tasks
            .cpu("verify a password", move || match stored {
                Some(text) => PasswordHash::new(&text)
                    .is_ok_and(|hash| argon2.verify_password(password.as_bytes(), &hash).is_ok()),
                None => {
                    let _ = argon2.hash_password_with_salt(password.as_bytes(), &[0; 16]);
                    false
                }
            })
            .await?;
        Ok(fits)
    }
}

/// Refuses passwords that are too short, too long, or the account's own name.
pub fn check_new(password: &str, login: &str) -> AppResult<()> {
    let chars = password.chars().count();
    if chars < MIN_CHARS {
        return Err(AppError::invalid(
            "password",
            format!("use at least {MIN_CHARS} characters"),
        ));
    }
    if chars > MAX_CHARS {
        return Err(AppError::invalid(
            "password",
            format!("use at most {MAX_CHARS} characters"),
        ));
    }
    let distinct: std::collections::BTreeSet<char> = password.chars().collect();
    let lower = password.to_lowercase();
    if distinct.len() < 5 || (login.len() >= 4 && lower.contains(&login.to_lowercase())) {
        return Err(AppError::invalid("password", "is too easy to guess"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hash_fits_only_its_password() {
        let (passwords, tasks) = (Passwords::default(), Tasks::new(1));
        let stored = passwords
            .hash(&tasks, "correct horse battery".into())
            .await
            .unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        for (given, hash, expected) in [
            ("correct horse battery", Some(stored.clone()), true),
            ("correct horse batterx", Some(stored), false),
            ("correct horse battery", None, false),
        ] {
            assert_eq!(
                passwords.verify(&tasks, given.into(), hash).await.unwrap(),
                expected
            );
        }
    }

    #[test]
    fn weak_passwords_are_refused() {
        for bad in ["short", "aaaaaaaaaaaaaaaa", "administrator-1"] {
            assert!(check_new(bad, "administrator").is_err(), "{bad}");
        }
        assert!(check_new("a quiet blue window", "admin").is_ok());
    }
}
