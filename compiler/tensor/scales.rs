//! The scales of a quantization.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::tensor::Scale;

/// One scale, or one for each channel. Those of channels are shared: every pass copies types.
#[derive(Clone, Debug)]
pub enum Scales {
    /// That of the whole tensor.
    One(Scale),
    /// By channel.
    Each(Arc<[Scale]>),
}

impl Deref for Scales {
    type Target = [Scale];

    fn deref(&self) -> &[Scale] {
        match self {
            Scales::One(scale) => std::slice::from_ref(scale),
            Scales::Each(scales) => scales,
        }
    }
}

impl PartialEq for Scales {
    fn eq(&self, other: &Scales) -> bool {
        match (self, other) {
            (Scales::Each(a), Scales::Each(b)) if Arc::ptr_eq(a, b) => true,
            _ => **self == **other,
        }
    }
}
impl Eq for Scales {}
impl std::hash::Hash for Scales {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
impl PartialOrd for Scales {
    fn partial_cmp(&self, other: &Scales) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scales {
    fn cmp(&self, other: &Scales) -> std::cmp::Ordering {
        (**self).cmp(other)
    }
}

impl From<Vec<Scale>> for Scales {
    fn from(scales: Vec<Scale>) -> Scales {
        match scales[..] {
            [scale] => Scales::One(scale),
            _ => Scales::Each(scales.into()),
        }
    }
}

impl FromIterator<Scale> for Scales {
    fn from_iter<I: IntoIterator<Item = Scale>>(scales: I) -> Scales {
        scales.into_iter().collect::<Vec<_>>().into()
    }
}

impl Serialize for Scales {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scales {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scales, D::Error> {
        Vec::deserialize(deserializer).map(Scales::from)
    }
}
