//! What agent and collector say to each other over HTTP; this documentation is the specification.
//!
//! An uploader authenticates with `Authorization: Bearer <upload code>` (the code with dashes).
//!
//! | request | answer |
//! |---|---|
//! | `GET /api/v1/upload-code` | 200 [`CodeInfo`] |
//! | `POST /api/v1/uploads` | 201, tus 1.0 creation; `Upload-Metadata` keys in [`metadata`] |
//! | `HEAD`, `PATCH`, `DELETE /api/v1/uploads/{id}` | tus 1.0 |
//! | `GET /api/v1/uploads/{id}` | 200 [`UploadStatus`] |
//!
//! Every failure is an `application/problem+json` [`Problem`]. A code that is unknown, used up or
//! expired gets one uniform 401 with `code` = [`problem::CODE_INVALID`]; too many tries get 429
//! with `Retry-After`.

pub mod problem;
mod upload;

pub use problem::Problem;
pub use upload::{
    CodeInfo, ConsentBasis, ConsentRecord, FindingBrief, TicketBrief, UploadState, UploadStatus,
    Verdict, Withdrawn, metadata,
};

/// Header that carries a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Path of [`CodeInfo`].
pub const UPLOAD_CODE_PATH: &str = "/api/v1/upload-code";
/// Path below which a receipt's bundle is withdrawn.
pub const RECEIPTS_PATH: &str = "/api/v1/receipts";
/// Path of the tus server.
pub const UPLOADS_PATH: &str = "/api/v1/uploads";
/// The tus version that is spoken.
pub const TUS_VERSION: &str = "1.0.0";
