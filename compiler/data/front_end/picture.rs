//! Pictures brought to one size, in integers.

use serde::{Deserialize, Serialize};

/// Bilinear resizing of 8-bit pictures, and colour to grey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Height, width, channels of what the camera gives.
    pub from: [usize; 3],
    /// Height, width, channels of the network's input: as many channels, or 1.
    pub to: [usize; 3],
}

impl Picture {
    /// The resized picture: integers from 0 to 255.
    ///
    /// # Panics
    /// When a slice has another length than the extents say.
    pub fn resize(&self, _raw: &[f32], _into: &mut [f32]) {
        unimplemented!("made by the front end's own change")
    }

    /// See `FrontEnd::canonical`.
    pub fn canonical(&self) -> String {
        format!("picture 1 {:?} {:?}", self.from, self.to)
    }
}
