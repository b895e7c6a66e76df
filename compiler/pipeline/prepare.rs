//! The data of a spec, as search, training and figures use it: read once, its features made once for each front end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rand_chacha::ChaCha8Rng;

use crate::data::{
    self, Audio, AudioSpec, Augment, AugmentStage, Cut, Dataset, Element, FrontEnd, Loaded, Picture,
    Quantizer, RawInput, Series, Split, Splits, Standardization, Stream,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Program, Settings};
use crate::emit;
use crate::graph::Graph;
use crate::pipeline::network::interface;
use crate::pipeline::recent::Recent;
use crate::pipeline::sources;
use crate::pipeline::task::{self, Task};
use crate::pipeline::tensors;
use crate::space::{Genome, Output};
use crate::tensor::Value;
use crate::train::{Answers, Rows};

/// The data of a spec.
pub(crate) struct Prepared {
    /// All samples as they are on disk, with their parts and what is odd about them.
    pub(crate) loaded: Loaded,
    /// Raw samples in their parts.
    pub(crate) splits: Splits,
    /// The training part's numbers to predict as training takes them.
    pub(crate) numbers: Vec<f32>,
    /// What networks are for.
    pub(crate) task: Task,
    /// Hash of all that training can see of them, the recordings that it mixes in among it.
    pub(crate) hash: String,
    root: PathBuf,
    cache: Option<PathBuf>,
    /// By the section `data` at a point of the space.
    features: Mutex<Recent<Features>>,
}

/// Bytes of features that are kept for later trials: a search over front ends makes many, and the cache has them.
const FEATURES: usize = 2 << 30;

/// Samples behind one front end.
#[derive(Debug)]
pub(crate) struct Features {
    /// Raw samples to features.
    pub(crate) front_end: FrontEnd,
    /// Raw samples.
    raw: Splits,
    /// Standardised features of the training part, once they are asked for.
    inputs: OnceLock<Value>,
    /// Their features.
    pub(crate) splits: Splits,
    /// What features are brought to the network's range with.
    pub(crate) standardization: Standardization,
    /// A text of the above: `standardize`, or the fixed mean and factor.
    pub(crate) normalization: String,
    /// Changes of training samples.
    pub(crate) augments: Vec<Augment>,
    /// Two front ends share it if and only if training sees the same of the same data.
    pub(crate) canonical: String,
    /// Parameter of the beta distribution by which `augment` mixes pairs of samples.
    pub(crate) mixup: Option<f64>,
}

impl Prepared {
    /// Reads the data of a spec below `root`; `cache` is a folder that keeps it.
    ///
    /// # Errors
    /// E07xx: what is missing or wrong in it; E0204 and E0305 for what the spec says of it.
    pub(crate) fn load(program: &Program, root: &Path, cache: Option<&Path>) -> Result<Prepared, Diagnostic> {
        let (prepared, fit) = Prepared::look(program, root, cache)?;
        fit.map(|()| prepared)
    }

    /// The same for who trains: the hash is also of the noise that `augment` takes from recordings.
    ///
    /// # Errors
    /// Those of [`load`](Prepared::load), and E07xx for these recordings.
    pub(crate) fn load_with_noise(
        program: &Program,
        root: &Path,
        cache: Option<&Path>,
    ) -> Result<Prepared, Diagnostic> {
        let mut prepared = Prepared::load(program, root, cache)?;
        let settings = program.settings.get("data").expect("it was read");
        for noise in sources::noise_hashes(settings, prepared.loaded.collection.rate, root)? {
            prepared.hash = tensors::sha256(format!("{}\n{noise}", prepared.hash).as_bytes());
        }
        Ok(prepared)
    }

    /// The same for who shows data that the model may not take: whether it does comes beside it.
    ///
    /// # Errors
    /// Those of [`load`](Prepared::load) but for what does not fit the model.
    pub(crate) fn look(
        program: &Program,
        root: &Path,
        cache: Option<&Path>,
    ) -> Result<(Prepared, Result<(), Diagnostic>), Diagnostic> {
        let settings = program.settings.get("data").ok_or_else(|| {
            wrong("the spec has no section `data`").help("write `data { source: ..., split: ... }`")
        })?;
        let source = sources::source(settings)?;
        let cut = Cut { split: split(settings)?, seed: program.search.seed };
        let mut loaded = data::load(&source, &cut, root, cache)?;
        if program.space.output == Output::Input && task::tells_anomalies(&loaded.raw().train) {
            // What is normal is learned from normal samples alone.
            loaded.keep_training(|label| label == 0);
        }
        let splits = loaded.raw();
        if splits.train.is_empty() {
            let message = "the training part has no sample of the class `normal`";
            return Err(Diagnostic::error(Code::DATA_SPLIT, message)
                .help("an autoencoder learns from normal samples: give it some"));
        }
        let fit = fit(program, settings, &loaded, &splits.train);
        let task = Task::new(program, &splits.train);
        let numbers = task.standardized(&splits.train.numbers);
        let hash = sources::with_noise(&loaded.hash, settings, root);
        let (root, cache) = (root.to_owned(), cache.map(Path::to_owned));
        let features = Mutex::new(Recent::new(FEATURES));
        Ok((Prepared { loaded, splits, numbers, task, hash, root, cache, features }, fit))
    }

    /// What training wants of the training part's samples.
    pub(crate) fn answers(&self) -> Answers<'_> {
        match self.task.output {
            Output::Classes(_) => Answers::Labels(&self.splits.train.labels),
            Output::Values(_) => Answers::Numbers(&self.numbers),
            Output::Input => Answers::Input,
        }
    }

    /// The features that a front end of any origin makes, such as that of a lock.
    ///
    /// # Errors
    /// E0705 where samples do not fit the front end.
    pub(crate) fn behind(&self, front_end: &FrontEnd) -> Result<Splits, Diagnostic> {
        self.loaded.features(front_end, self.cache.as_deref())
    }

    /// The samples behind the front end that a point of the space has.
    ///
    /// # Errors
    /// E0705 where samples do not fit the front end, E0305 where the front end cannot be.
    pub(crate) fn features(&self, program: &Program, genome: &Genome) -> Result<Arc<Features>, Diagnostic> {
        let settings = program.data_for(genome).map_err(|problem| {
            Diagnostic::error(Code::RANGE, format!("a decision of `data` gives no front end: {problem}"))
        })?;
        let key = format!("{settings:?}");
        // Others wait for the first one that needs a front end, rather than make it again.
        let mut known = self.features.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&key) {
            return Ok(found);
        }
        let made = Arc::new(self.make(&settings)?);
        known.put(key, made.bytes(), made.clone());
        Ok(made)
    }

    fn make(&self, settings: &Settings) -> Result<Features, Diagnostic> {
        let front_end = front_end(settings, &self.loaded)?;
        let splits = self.loaded.features(&front_end, self.cache.as_deref())?;
        let (standardization, normalization) = standardization(settings, &front_end, &splits.train);
        let (augments, mixup) =
            sources::augments(settings, &front_end, self.loaded.collection.rate, &self.root)?;
        let mut canonical = format!("{}\n{normalization}", front_end.canonical());
        for augment in &augments {
            canonical.push_str(&format!("\n{}", augment.canonical()));
        }
        let (raw, inputs) = (self.splits.clone(), OnceLock::new());
        Ok(Features {
            front_end,
            raw,
            inputs,
            splits,
            standardization,
            normalization,
            augments,
            canonical,
            mixup,
        })
    }
}

/// The features of all samples of a spec's data, in whatever part they are.
///
/// # Errors
/// E07xx: what is missing or wrong in the data, or does not fit the front end.
pub(crate) fn everything(
    program: &Program,
    front_end: &FrontEnd,
    root: &Path,
    cache: Option<&Path>,
) -> Result<Dataset, Diagnostic> {
    let settings = program.settings.get("data").ok_or_else(|| wrong("the spec has no section `data`"))?;
    data::everything(&sources::source(settings)?, front_end, root, cache)
}

/// Whether the model takes what the front end makes of the samples.
fn fit(program: &Program, settings: &Settings, loaded: &Loaded, train: &Dataset) -> Result<(), Diagnostic> {
    let features = match settings.decides() {
        true => None,
        false => Some(front_end(settings, loaded)?.extents()),
    };
    task::check_fit(program, train, features)
}

fn wrong(message: &str) -> Diagnostic {
    Diagnostic::error(Code::MISSING, message)
}

/// How the section parts samples.
pub(super) fn split(settings: &Settings) -> Result<Split, Diagnostic> {
    let found = match settings.form("split") {
        Some(("holdout", Some(parts))) => parts.number("val").map(Split::Holdout),
        Some(("by", Some(parts))) => {
            let by_file = parts.form("group").is_some_and(|(group, _)| group == "file");
            let shares = parts.number("val").zip(parts.number("test"));
            shares.map(|(val, test)| Split::Groups { val, test, by_file })
        }
        Some(("lists", Some(lists))) => {
            let text = |key: &str| lists.text(key).map(str::to_owned);
            text("val").zip(text("test")).map(|(val, test)| Split::Lists { train: text("train"), val, test })
        }
        _ => None,
    };
    found.ok_or_else(|| wrong("`data` has no `split`"))
}

fn samples_of(seconds: f64, rate: u32) -> usize {
    (seconds * f64::from(rate)).round() as usize
}

/// The front end that the section asks for, for samples as they are; one that a chip can have.
fn front_end(settings: &Settings, loaded: &Loaded) -> Result<FrontEnd, Diagnostic> {
    let front_end = asked(settings, loaded)?;
    match emit::check_front_end(&front_end) {
        Ok(()) => Ok(front_end),
        Err(problem) => {
            Err(Diagnostic::error(Code::RANGE, format!("`data` asks too much of a chip: {problem}"))
                .help("write smaller numbers in `features`, or give smaller samples"))
        }
    }
}

fn asked(settings: &Settings, loaded: &Loaded) -> Result<FrontEnd, Diagnostic> {
    let collection = &loaded.collection;
    let (element, extents) = (collection.table.element(), collection.extents);
    match settings.form("features") {
        None => Ok(FrontEnd::Values { element, extents }),
        Some((name @ ("mfcc" | "log_mel"), Some(keys))) => {
            let rate = collection.rate.ok_or_else(|| {
                Diagnostic::error(
                    Code::DATA_SHAPE,
                    format!("`features: {name}(...)` is of sound, and the data is not"),
                )
                .help("leave `features` out, or read recordings with `audio_folder(...)`")
            })?;
            audio(name, keys, rate, extents[0]).map(FrontEnd::Audio)
        }
        Some(("image", Some(keys))) => picture(keys, element, extents).map(FrontEnd::Picture),
        Some(("window", Some(keys))) => series(keys, element, extents).map(FrontEnd::Series),
        Some((name, _)) => Err(Diagnostic::error(
            Code::NOT_YET,
            format!("this version of nasc does not carry out `features: {name}`"),
        )),
    }
}

fn stream(keys: &Settings, every: u64) -> Stream {
    let size = |key: &str, default: u64| keys.integer(key).unwrap_or(default).max(1) as usize;
    Stream { every: size("every", every), smooth: size("smooth", 1) }
}

fn audio(name: &str, keys: &Settings, rate: u32, length: usize) -> Result<Audio, Diagnostic> {
    let seconds = |key: &str| keys.number(key).unwrap_or(0.0);
    let high = keys.number("high").unwrap_or(f64::from(rate) / 2.0);
    let spec = AudioSpec {
        rate,
        length,
        frame: samples_of(seconds("frame"), rate),
        hop: samples_of(seconds("hop"), rate),
        filters: keys.integer("filters").unwrap_or(40) as usize,
        low: keys.number("low").unwrap_or(20.0),
        high,
        coefficients: match name {
            "mfcc" => Some(keys.integer("coefficients").unwrap_or(10) as usize),
            _ => None,
        },
        stream: stream(keys, 10),
    };
    Audio::new(spec)
        .map_err(|problem| Diagnostic::error(Code::RANGE, format!("`features: {name}(...)`: {problem}")))
}

fn picture(keys: &Settings, element: Element, from: [usize; 3]) -> Result<Picture, Diagnostic> {
    if element != Element::U8 {
        return Err(Diagnostic::error(
            Code::DATA_SHAPE,
            "`features: image(...)` is of pictures, and the data is not",
        )
        .help(
            "leave `features` out, or read pictures with `image_folder(...)`, `idx(...)` or `cifar(...)`",
        ));
    }
    let size = sources::pair(keys, "size").ok_or_else(|| wrong("`image` has no `size`"))?;
    let channels = match keys.integer("channels") {
        Some(1) => 1,
        _ => from[2],
    };
    if channels != from[2] && (channels, from[2]) != (1, 3) {
        let message = format!("`features: image(...)` makes {channels} channels of {}", from[2]);
        return Err(
            Diagnostic::error(Code::DATA_SHAPE, message).help("pictures keep their channels, or get 1 of 3")
        );
    }
    Ok(Picture { from, to: [size.0, size.1, channels] })
}

fn series(keys: &Settings, element: Element, extents: [usize; 3]) -> Result<Series, Diagnostic> {
    let length = keys.integer("length").unwrap_or(0) as usize;
    if extents[0] != length || extents[1] != 1 {
        let message = format!("`features: window(...)` takes {length} rows, the samples have {}", extents[0]);
        return Err(Diagnostic::error(Code::DATA_SHAPE, message).help(
            "write the samples' number of rows as `length`, or cut recordings by `window:` of the source",
        ));
    }
    let every = keys.integer("hop").unwrap_or(length as u64);
    Ok(Series { element, length, channels: extents[2], stream: stream(keys, every) })
}

/// The front end that a network of the space will have, as far as it is known without the data: for costs.
pub(crate) fn assumed(program: &Program, genome: &Genome, graph: &Graph) -> FrontEnd {
    let shape = graph.network_inputs().first().map(|&input| graph.ty(input).shape.clone());
    let extents = shape.map_or([1; 3], |shape| {
        let last = shape.0.last().copied().unwrap_or(1);
        shape.nhwc().map_or([1, 1, last], |[_, height, width, channels]| [height, width, channels])
    });
    let settings = program.data_for(genome).unwrap_or_default();
    let (source, keys) = settings.form("source").unwrap_or(("", None));
    let element = match source {
        "audio_folder" => Element::I16,
        "image_folder" | "idx" | "cifar" => Element::U8,
        "raw" => match keys.and_then(|keys| keys.form("element")).map(|(name, _)| name) {
            Some("u8") => Element::U8,
            Some("f32") => Element::F32,
            _ => Element::I16,
        },
        _ => Element::F32,
    };
    let values = FrontEnd::Values { element, extents };
    match settings.form("features") {
        Some((name @ ("mfcc" | "log_mel"), Some(features))) => {
            let Some(rate) = keys.and_then(|keys| keys.number("rate")) else { return values };
            let size = |key: &str| samples_of(features.number(key).unwrap_or(0.0), rate as u32);
            let length = (extents[0] - 1) * size("hop") + size("frame");
            audio(name, features, rate as u32, length).map_or(values, FrontEnd::Audio)
        }
        Some(("image", Some(_))) => FrontEnd::Picture(Picture { from: extents, to: extents }),
        Some(("window", Some(features))) => {
            series(features, element, extents).map_or(values, FrontEnd::Series)
        }
        _ => values,
    }
}

/// What brings features to the network's range, and a text of it. Without `normalize`, sound is standardised, pixels
/// are brought to -1..1, and other values stay as they are.
fn standardization(settings: &Settings, front_end: &FrontEnd, train: &Dataset) -> (Standardization, String) {
    let period = front_end.period();
    let asked = settings.form("normalize").map(|(name, _)| name);
    let range = settings.form("features").and_then(|(_, keys)| keys?.form("range")).map(|(name, _)| name);
    let fixed = |mean: f32, inverse: f32| {
        (Standardization::fixed(mean, inverse, period), format!("fixed {mean} {inverse}"))
    };
    match (front_end, asked, range) {
        (_, Some("standardize"), _) | (FrontEnd::Audio(_), None, _) => {
            (Standardization::measure(train, period), "standardize".to_owned())
        }
        (FrontEnd::Picture(_), _, Some("bytes")) => fixed(0.0, 1.0),
        (FrontEnd::Picture(_), _, Some("unit")) => fixed(0.0, 1.0 / 255.0),
        (FrontEnd::Picture(_), ..) => fixed(127.5, 1.0 / 127.5),
        (FrontEnd::Values { element: Element::U8, .. }, None, _) => fixed(127.5, 1.0 / 127.5),
        _ => fixed(0.0, 1.0),
    }
}

impl Features {
    /// The training part as training takes it: standardised features F32 `[N, H, W, C]`.
    pub(crate) fn inputs(&self) -> &Value {
        self.inputs.get_or_init(|| self.standardization.inputs(&self.splits.train))
    }

    /// What turns raw samples into the input of an integer graph.
    ///
    /// # Errors
    /// When the graph has not one quantized input of the front end's extents.
    pub(crate) fn raw_input(&self, graph: &Graph) -> Result<RawInput, String> {
        let (input, _) = interface(graph)?;
        let quant = input.quant.as_ref().ok_or("the input is not quantized")?;
        let element = self.front_end.feature_element();
        let quantizer = Quantizer::new(element, &self.standardization, quant.scale(0), quant.zero_point);
        Ok(RawInput { front_end: self.front_end.clone(), quantizer })
    }

    /// Memory that it takes at most: features, and the training part as floats where a training has it whole.
    pub(crate) fn bytes(&self) -> usize {
        let Splits { train, val, test } = &self.splits;
        let sample = train.sample_len();
        let floats = if self.is_streamed() { 0 } else { 4 * train.len() * sample };
        floats + (train.len() + val.len() + test.len()) * sample * train.element().bytes()
    }

    /// Memory of the training part that each training has for itself.
    pub(crate) fn copied_bytes(&self) -> usize {
        if self.is_streamed() { 0 } else { 4 * self.splits.train.len() * self.splits.train.sample_len() }
    }

    /// Whether a training makes its samples anew in every epoch, or has them all in memory.
    pub(crate) fn is_streamed(&self) -> bool {
        let bytes = 4 * self.splits.train.len() * self.splits.train.sample_len();
        !self.augments.is_empty() || bytes > IN_MEMORY
    }
}

/// Bytes of training samples as floats that are kept in memory.
const IN_MEMORY: usize = 1 << 30;

/// The training samples as a training asks for them: raw, changed, through the front end, standardised, changed again.
#[derive(Debug)]
pub(crate) struct TrainingRows {
    features: Arc<Features>,
    /// The network's input without the batch.
    extents: Vec<usize>,
    identity: String,
}

impl TrainingRows {
    /// Of the training part; `hash` is that of the data.
    pub(crate) fn new(features: Arc<Features>, hash: &str) -> TrainingRows {
        let identity = format!("{hash}\n{}", features.canonical);
        let extents = features.front_end.extents().to_vec();
        TrainingRows { features, extents, identity }
    }
}

impl Rows for TrainingRows {
    fn count(&self) -> usize {
        self.features.splits.train.len()
    }

    fn extents(&self) -> &[usize] {
        &self.extents
    }

    fn sample(&self, index: usize, into: &mut [f32]) {
        self.features.splits.train.sample(index, into);
        self.features.standardization.apply(into);
    }

    fn changed(&self, index: usize, random: &mut ChaCha8Rng, into: &mut [f32]) {
        let Features { front_end, raw, splits, standardization, augments, .. } = &*self.features;
        let mut scratch = Vec::new();
        let is_raw = |augment: &&Augment| augment.stage() == AugmentStage::Raw;
        if augments.iter().any(|augment| is_raw(&augment)) {
            let mut sample = vec![0.0; raw.train.sample_len()];
            raw.train.sample(index, &mut sample);
            let (extents, element) = (front_end.raw_extents(), front_end.element());
            for augment in augments.iter().filter(is_raw) {
                augment.apply(&mut sample, extents, element, random, &mut scratch);
            }
            front_end.features(&sample, into);
        } else {
            splits.train.sample(index, into);
        }
        standardization.apply(into);
        let extents = front_end.extents();
        for augment in augments.iter().filter(|augment| !is_raw(augment)) {
            augment.apply(into, extents, Element::F32, random, &mut scratch);
        }
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }
}
