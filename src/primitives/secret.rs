//! The one pattern of every secret: wiped on drop, silent in `Debug`, no `Clone`, no `PartialEq`.

use alloc::vec::Vec;
use core::{fmt, ops::Deref};

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that are wiped when dropped and never printed: a saved record, an opened plaintext.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over, without a copy.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Hands the bytes out; wiping them is the caller's from here on.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        core::mem::take(&mut self.0)
    }

    /// The buffer, for those who made it with room enough that it need not grow.
    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Deref for SecretBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Wipes the whole buffer; the slices' own wiping is a bulk fill, where a vector's goes byte by byte.
impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
        self.0.spare_capacity_mut().zeroize();
    }
}

impl ZeroizeOnDrop for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes(redacted, {} bytes)", self.0.len())
    }
}

/// Compiles only for a type that wipes itself on drop (lesson L22). Every secret type is named to it where it is declared.
pub(crate) const fn wipes<T: ZeroizeOnDrop>() {}

const _: () = wipes::<SecretBytes>();

/// Declares a 32-byte secret key type with the one set of doors: taken from an array that is wiped, exposed only inside the crate.
macro_rules! secret_key {
    ($(#[$doc:meta])* $visibility:vis $name:ident) => {
        $(#[$doc])*
        $visibility struct $name([u8; 32]);

        impl $name {
            /// Takes the key and wipes the place it came from.
            $visibility fn take_from(bytes: &mut [u8; 32]) -> Self {
                let key = Self(*bytes);
                zeroize::Zeroize::zeroize(bytes.as_mut_slice());
                key
            }

            /// The only door to the bytes.
            pub(crate) fn expose_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// By the slice's own wiping, a bulk fill, where an array's goes byte by byte.
        impl Drop for $name {
            fn drop(&mut self) {
                zeroize::Zeroize::zeroize(self.0.as_mut_slice());
            }
        }

        impl zeroize::ZeroizeOnDrop for $name {}

        const _: () = $crate::primitives::wipes::<$name>();

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}
pub(crate) use secret_key;
