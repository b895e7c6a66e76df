//! The spaces of the standard library and of the examples, and networks drawn from them.

use std::fs;
use std::path::Path;

use nasc::diagnostic::{Style, render};
use nasc::elaborate::{self, Options};
use nasc::graph::Graph;
use nasc::source::SourceMap;
use nasc::space::{Space, instantiate, sample};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

pub(crate) const SPACES: [&str; 8] = [
    "examples/kws/kws.nas",
    "stdlib/spaces/mcunet.nas",
    "stdlib/spaces/ofa_mbv3.nas",
    "stdlib/spaces/munas.nas",
    "stdlib/spaces/sparse.nas",
    "stdlib/spaces/micronets_kws.nas",
    "stdlib/spaces/micronets_vww.nas",
    "stdlib/spaces/micronets_ad.nas",
];

/// The space of a file.
pub(crate) fn space(path: &str) -> Space {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a spec");
    let mut sources = SourceMap::new();
    let file = sources.add(path, &text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    let messages = render(&diagnostics, &sources, Style::Plain);
    program.unwrap_or_else(|| panic!("{path} is wrong:\n{messages}")).space
}

/// Networks of a space.
pub(crate) fn networks(space: &Space, count: usize) -> Vec<Graph> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut graphs = Vec::new();
    for _ in 0..20 * count {
        if graphs.len() < count
            && let Ok(graph) = instantiate(space, &sample(space, &mut rng))
        {
            graphs.push(graph);
        }
    }
    graphs
}
