//! Which suites a device speaks, by its own choice.

use crate::primitives::KemSize;

/// Which suites a device speaks. Its bundles say so, signed; the same on all its runs, or its prekeys are replaced each time that it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SuitePolicy {
    /// X3DH only. Without the feature `post-quantum` there is no other.
    Classic,
    /// PQXDH with whom it is possible, X3DH with all others. A peer that spoke PQXDH once and does not now is told of ([`Started::downgraded`](crate::Started::downgraded),
    /// [`Received::downgraded`](crate::Received::downgraded)). The own prekeys are of this parameter set. The default, with ML-KEM-768.
    #[cfg(feature = "post-quantum")]
    Prefer(KemSize),
    /// PQXDH only: no session of another suite is started or accepted.
    #[cfg(feature = "post-quantum")]
    Require(KemSize),
}

impl SuitePolicy {
    /// The parameter set of the own KEM prekeys, if there are any.
    pub(crate) const fn kem(self) -> Option<KemSize> {
        match self {
            Self::Classic => None,
            #[cfg(feature = "post-quantum")]
            Self::Prefer(size) | Self::Require(size) => Some(size),
        }
    }

    /// Whether X3DH alone will do.
    pub(crate) const fn takes_classic(self) -> bool {
        match self {
            Self::Classic => true,
            #[cfg(feature = "post-quantum")]
            Self::Prefer(_) => true,
            #[cfg(feature = "post-quantum")]
            Self::Require(_) => false,
        }
    }
}

impl Default for SuitePolicy {
    fn default() -> Self {
        #[cfg(feature = "post-quantum")]
        return Self::Prefer(KemSize::MlKem768);
        #[cfg(not(feature = "post-quantum"))]
        return Self::Classic;
    }
}
