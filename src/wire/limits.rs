//! Every fixed bound on bytes from outside. `docs/protocol.md`, section 9.

/// Longest envelope in bytes: 1 MiB.
pub const MAX_ENVELOPE: usize = 1 << 20;
/// Longest plaintext of a ratchet message in bytes; in a session one byte of it is the kind, so that 1,044,479 are the app's. The 4 KiB below
/// [`MAX_ENVELOPE`] are room for the head.
pub const MAX_PLAINTEXT: usize = MAX_ENVELOPE - 4_096;
/// Longest associated data of the caller in bytes.
pub const MAX_ASSOCIATED_DATA: usize = 4_096;
/// Longest handshake field of an envelope in bytes.
pub const MAX_HANDSHAKE: usize = 4_096;
/// Longest field of a post-quantum suite in a header or handshake, in bytes.
pub const MAX_PQ: usize = 2_048;
/// Longest bundle in bytes.
pub const MAX_BUNDLE: usize = 8_192;
/// Longest number statement in bytes.
pub const MAX_NUMBER_STATEMENT: usize = 128;
/// Longest retry request in bytes.
pub const MAX_RETRY_REQUEST: usize = 512;
/// Longest signed device list in bytes.
pub const MAX_DEVICE_LIST: usize = 1_024;
/// Longest certificate in bytes.
pub const MAX_CERTIFICATE: usize = 512;
/// Longest message of a linking in bytes.
pub const MAX_LINK_MESSAGE: usize = 2_048;
/// Most devices of an account, the phone included.
pub const MAX_DEVICES: usize = 5;
/// Most suites that a device can name.
pub const MAX_SUITES: usize = 16;
