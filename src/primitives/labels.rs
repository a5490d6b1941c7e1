//! Every label of the protocol, each for one derivation or one signed statement. `docs/protocol.md`, section 2 "Labels".

pub(crate) const X3DH: &[u8] = b"outrigger v1 x3dh";
pub(crate) const PQXDH_768: &[u8] = b"outrigger v1 pqxdh ml-kem-768";
pub(crate) const PQXDH_1024: &[u8] = b"outrigger v1 pqxdh ml-kem-1024";
pub(crate) const KEM_PREKEY: &[u8] = b"outrigger v1 kem prekey";
pub(crate) const TRANSCRIPT: &[u8] = b"outrigger v1 transcript";
pub(crate) const SESSION_ROOT: &[u8] = b"outrigger v1 session root";
pub(crate) const SESSION_ID: &[u8] = b"outrigger v1 session id";
pub(crate) const RATCHET_ROOT: &[u8] = b"outrigger v1 ratchet root";
pub(crate) const RATCHET_HEADERS: &[u8] = b"outrigger v1 ratchet headers";
pub(crate) const RATCHET_HIDDEN: &[u8] = b"outrigger v1 ratchet hidden root";
pub(crate) const MESSAGE_AEAD: &[u8] = b"outrigger v1 message aead";
pub(crate) const PREKEY_ID: &[u8] = b"outrigger v1 prekey id";
pub(crate) const SUITES: &[u8] = b"outrigger v1 suites";
pub(crate) const NUMBER: &[u8] = b"outrigger v1 number";
pub(crate) const NOTE: &[u8] = b"outrigger v1 note";
pub(crate) const RETRY_REQUEST: &[u8] = b"outrigger v1 retry request";
pub(crate) const RETRY_KEY: &[u8] = b"outrigger v1 retry key";
pub(crate) const UPLOAD: &[u8] = b"outrigger v1 upload";
pub(crate) const ENVELOPE: &[u8] = b"outrigger v1 envelope";
pub(crate) const DEVICES: &[u8] = b"outrigger v1 devices";
pub(crate) const LINK_PAYLOAD: &[u8] = b"outrigger v1 link payload";
pub(crate) const LINK_COMPARISON: &[u8] = b"outrigger v1 link comparison";
pub(crate) const LINK_GRANT: &[u8] = b"outrigger v1 link grant";
pub(crate) const LINK_MAC: &[u8] = b"outrigger v1 link mac";
pub(crate) const LINK_ANSWER: &[u8] = b"outrigger v1 link answer";
pub(crate) const CODE_CHANNEL: &[u8] = b"outrigger v1 code channel";
pub(crate) const CODE_KEYS: &[u8] = b"outrigger v1 code keys";
pub(crate) const FACT: &[u8] = b"outrigger v1 fact";
pub(crate) const HISTORY_KEY: &[u8] = b"outrigger v1 history key";
pub(crate) const HISTORY_CHUNK: &[u8] = b"outrigger v1 history chunk";
pub(crate) const SYNCED: &[u8] = b"outrigger v1 synced";
pub(crate) const RELAY_REQUEST: &[u8] = b"outrigger v1 relay request";
pub(crate) const RELAY_MESSAGE: &[u8] = b"outrigger v1 relay message";

#[cfg(test)]
mod tests {
    use super::*;

    /// L19: one label per derivation, and none is the beginning of another.
    #[test]
    fn l19_labels_are_distinct_and_prefix_free() {
        let all = [
            X3DH,
            PQXDH_768,
            PQXDH_1024,
            KEM_PREKEY,
            TRANSCRIPT,
            SESSION_ROOT,
            SESSION_ID,
            RATCHET_ROOT,
            RATCHET_HEADERS,
            RATCHET_HIDDEN,
            MESSAGE_AEAD,
            PREKEY_ID,
            SUITES,
            NUMBER,
            NOTE,
            RETRY_REQUEST,
            RETRY_KEY,
            UPLOAD,
            ENVELOPE,
            DEVICES,
            LINK_PAYLOAD,
            LINK_COMPARISON,
            LINK_GRANT,
            LINK_MAC,
            LINK_ANSWER,
            CODE_CHANNEL,
            CODE_KEYS,
            FACT,
            HISTORY_KEY,
            HISTORY_CHUNK,
            SYNCED,
            RELAY_REQUEST,
            RELAY_MESSAGE,
        ];
        let declared =
            include_str!("labels.rs").lines().filter(|line| line.starts_with("pub(crate) const")).count();
        assert_eq!(all.len(), declared, "a label is missing from this list");
        for (i, one) in all.iter().enumerate() {
            assert!(one.starts_with(b"outrigger v1 "));
            for other in all.iter().skip(i + 1) {
                assert!(!one.starts_with(other) && !other.starts_with(one));
            }
        }
    }
}
