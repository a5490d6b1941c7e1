//! CPace over ristretto255 with SHA-512: two devices that hold one short code come to one strong key, and a guess at the code costs a run of the protocol.
//!
//! *CPace, a balanced composable PAKE*, draft-irtf-cfrg-cpace-21, suite CPACE-RISTR255-SHA512, initiator and responder; `docs/protocol.md`, section 10 "Code".
//! Written here, on the group of curve25519-dalek, since the crates that offer a PAKE cannot be saved between its two messages, which a restart of the app wants.

use alloc::vec::Vec;

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto, traits::IsIdentity};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use super::{Random, RandomError, SecretBytes, secret::secret_key};

/// `G.DSI`.
const DSI: &[u8] = b"CPaceRistretto255";
/// `G.DSI_ISK`.
const DSI_ISK: &[u8] = b"CPaceRistretto255_ISK";
/// `H.s_in_bytes`: the input block of SHA-512.
const BLOCK: usize = 128;

/// A share, as it travels: 32 bytes.
pub(crate) type Share = [u8; 32];

secret_key! {
    /// The secret scalar of one side and one run: 32 bytes, used once.
    pub(crate) PakeScalar
}

/// A share is no element of the group, or gives the neutral one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadShare;

/// What both sides must agree on before they begin.
pub(crate) struct Pake<'a> {
    /// PRS: the code.
    pub(crate) code: &'a [u8],
    /// CI: what the run is for.
    pub(crate) channel: &'a [u8],
    /// sid: the same for no other run.
    pub(crate) session: &'a [u8],
}

/// Both shares of a run, with the associated data of each side.
pub(crate) struct Shares<'a> {
    pub(crate) initiator: (&'a Share, &'a [u8]),
    pub(crate) responder: (&'a Share, &'a [u8]),
}

impl Pake<'_> {
    /// `calculate_generator`, section 8.3.
    fn generator(&self) -> RistrettoPoint {
        let used = length(self.code).len().saturating_add(self.code.len());
        let used = used.saturating_add(length(DSI).len()).saturating_add(DSI.len()).saturating_add(1);
        let padding = [0; BLOCK];
        let padding = padding.get(..BLOCK.saturating_sub(used)).unwrap_or_default();
        let text = SecretBytes::new(lv_cat(&[DSI, self.code, padding, self.channel, self.session]));
        let mut hash: [u8; 64] = Sha512::digest(&*text).into();
        let generator = RistrettoPoint::from_uniform_bytes(&hash);
        hash.zeroize();
        generator
    }

    /// Draws this side's scalar, from 64 random bytes reduced, and computes its share. Constant time in code and scalar.
    pub(crate) fn start(&self, random: &mut Random<'_>) -> Result<(PakeScalar, Share), RandomError> {
        let mut wide = Zeroizing::new([0; 64]);
        random.draw_into(&mut wide)?;
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(&wide));
        let share = self.share(&scalar);
        Ok((PakeScalar::take_from(&mut scalar.to_bytes()), share))
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the group's own operation")]
    fn share(&self, scalar: &Scalar) -> Share {
        let mut generator = self.generator();
        let share = (generator * scalar).compress().to_bytes();
        generator.zeroize();
        share
    }

    /// ISK, 64 bytes, from the other side's share. Key confirmation is the caller's.
    #[expect(clippy::arithmetic_side_effects, reason = "the group's own operation")]
    pub(crate) fn finish(
        &self,
        scalar: &PakeScalar,
        theirs: &Share,
        shares: &Shares<'_>,
    ) -> Result<SecretBytes, BadShare> {
        // `scalar_mult_vfy`: what does not decode, or gives the neutral element, ends the run.
        let point = CompressedRistretto(*theirs).decompress().ok_or(BadShare)?;
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order(*scalar.expose_bytes()));
        let mut shared = point * *scalar;
        if shared.is_identity() {
            return Err(BadShare);
        }
        let key = Zeroizing::new(shared.compress().to_bytes());
        shared.zeroize();
        let [(one, one_ad), (other, other_ad)] = [shares.initiator, shares.responder];
        let mut text = SecretBytes::new(lv_cat(&[DSI_ISK, self.session, &*key]));
        text = SecretBytes::new([&*text, &lv_cat(&[one, one_ad]), &lv_cat(&[other, other_ad])].concat());
        Ok(SecretBytes::new(Sha512::digest(&*text).to_vec()))
    }
}

/// `lv_cat`, section 6.1: each part behind its length.
fn lv_cat(parts: &[&[u8]]) -> Vec<u8> {
    let room: usize = parts.iter().fold(0, |all, part| all.saturating_add(part.len()).saturating_add(4));
    let mut out = Vec::with_capacity(room);
    for part in parts {
        out.extend_from_slice(&length(part));
        out.extend_from_slice(part);
    }
    out
}

/// The length in LEB128.
fn length(part: &[u8]) -> Vec<u8> {
    let mut left = part.len();
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap_or_default();
        left >>= 7;
        if left == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::vectors::hex;

    const SID: &str = "7e4b4791d6a8ef019b936c79fb7f2c57";
    const YA: &str = "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08";
    const YB: &str = "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d";
    const SHARE_A: &str = "383a85dd236978f17f8c8545b50dabc52a39fcdab2cf8bc531ce040ff77ca82d";
    const SHARE_B: &str = "a6206309c0e8e5f579295e35997ac4300ab3fecec3c17f7b604f3e698fa1383c";
    const ISK: &str = "e91ccb2c0f5e0d0993a33956e3be59754f3f2b07db57631f5394452ea2e7b4354674eb1f5686c078462bf83bec72e8743df440108e638f3526d9b90e85be096f";

    fn array(text: &str) -> [u8; 32] {
        hex(text).try_into().unwrap()
    }

    /// Appendix B.3 of the draft: generator, both shares, the intermediate session key.
    #[test]
    fn the_drafts_run_gives_the_drafts_key() {
        let sid = hex(SID);
        let pake = Pake { code: b"Password", channel: b"\nAinitiator\nBresponder", session: &sid };
        let generator = "5e25411ca1ad7c9debfd0b33ad987a95cefef2d3f15dcc8bd26415a5dfe2e15a";
        assert_eq!(pake.generator().compress().to_bytes(), array(generator));
        let scalar = |text| Scalar::from_bytes_mod_order(array(text));
        assert_eq!(pake.share(&scalar(YA)), array(SHARE_A));
        assert_eq!(pake.share(&scalar(YB)), array(SHARE_B));
        let (a, b) = (array(SHARE_A), array(SHARE_B));
        let shares = Shares { initiator: (&a, b"ADa"), responder: (&b, b"ADb") };
        for (scalar, theirs) in [(YA, &b), (YB, &a)] {
            let scalar = PakeScalar::take_from(&mut array(scalar));
            assert_eq!(pake.finish(&scalar, theirs, &shares).unwrap().to_vec(), hex(ISK));
        }
    }

    /// Appendix B.3.11: what is no element, and the neutral one.
    #[test]
    fn bad_shares_end_the_run() {
        let pake = Pake { code: b"x", channel: b"", session: b"" };
        let scalar = PakeScalar::take_from(&mut array(
            "7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05",
        ));
        for share in [
            "2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c",
            &"00".repeat(32),
            &"ff".repeat(32),
        ] {
            let share = array(share);
            let shares = Shares { initiator: (&share, b""), responder: (&share, b"") };
            assert_eq!(pake.finish(&scalar, &share, &shares).unwrap_err(), BadShare);
        }
        let sound = array("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
        let shares = Shares { initiator: (&sound, b""), responder: (&sound, b"") };
        assert!(pake.finish(&scalar, &sound, &shares).is_ok());
    }

    /// Lengths of 128 and more take two bytes.
    #[test]
    fn lengths_are_leb128() {
        assert_eq!(length(&[0; 127]), [127]);
        assert_eq!(length(&[0; 128]), [0x80, 1]);
        assert_eq!(length(&[0; 300]), [0xac, 2]);
        assert_eq!(length(&[]), [0]);
    }
}
