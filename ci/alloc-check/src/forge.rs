//! Envelopes that no honest device sends.

/// The parts of an envelope, to be put together anew.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) session: [u8; 8],
    pub(crate) handshake: Option<Vec<u8>>,
    pub(crate) key: [u8; 32],
    pub(crate) previous: u32,
    pub(crate) counter: u32,
    /// The length that is claimed, where it is not the true one.
    pub(crate) claimed: Option<u64>,
    pub(crate) ciphertext: Vec<u8>,
}

impl Forged {
    /// Session, handshake and ratchet key of a real envelope; the rest to be filled in.
    pub(crate) fn from(envelope: &[u8]) -> Self {
        let (handshake, rest) = match envelope[11] {
            0x12 => {
                // A handshake of ours is shorter than 128 bytes, so its length is one byte.
                let len = usize::from(envelope[12]);
                (Some(envelope[13..13 + len].to_vec()), &envelope[13 + len..])
            }
            _ => (None, &envelope[11..]),
        };
        Self {
            session: envelope[3..11].try_into().unwrap(),
            handshake,
            key: rest[2..34].try_into().unwrap(),
            previous: 0,
            counter: 0,
            claimed: None,
            ciphertext: vec![0; 100],
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![1, 1, 0x09];
        out.extend(self.session);
        if let Some(handshake) = &self.handshake {
            out.push(0x12);
            varint(handshake.len() as u64, &mut out);
            out.extend(handshake);
        }
        out.extend([0x1a, 32]);
        out.extend(self.key);
        for (tag, value) in [(0x20, self.previous), (0x28, self.counter)] {
            if value != 0 {
                out.push(tag);
                varint(u64::from(value), &mut out);
            }
        }
        out.push(0x3a);
        varint(self.claimed.unwrap_or(self.ciphertext.len() as u64), &mut out);
        out.extend(&self.ciphertext);
        out
    }

    pub(crate) fn with_handshake(&self, handshake: Vec<u8>) -> Vec<u8> {
        Self { handshake: Some(handshake), ..self.clone() }.bytes()
    }
}

/// The same bytes with a bit of the tag flipped.
pub(crate) fn altered(envelope: &[u8]) -> Vec<u8> {
    let mut bytes = envelope.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
