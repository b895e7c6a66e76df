//! Small data in the layout of each example, with something to learn in it: classes differ by a frequency, a level or
//! a pattern, and have noise.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::encode::{gz, idx, npy, tar_gz, wav};

/// Files by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Labels of keyword spotting.
const WORDS: [&str; 12] =
    ["_silence_", "_unknown_", "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"];
const VOICES: [&str; 5] =
    ["en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU"];
const ACTIVITIES: [&str; 5] = ["SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"];
const SENSORS: [&str; 8] = [
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
];

/// Chance that is the same in every run.
struct Chance(ChaCha8Rng);

impl Chance {
    fn new(seed: u64) -> Chance {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`.
    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// A number around 0.
    fn noise(&mut self, size: f64) -> f64 {
        self.within(-size, size)
    }

    /// A recording of a tone of about `hertz` with an overtone and noise.
    fn tone(&mut self, rate: u32, seconds: f64, hertz: f64, level: f64) -> Vec<u8> {
        let (phase, hertz) = (self.within(0.0, TAU), hertz * self.within(0.97, 1.03));
        let samples: Vec<i16> = (0..(seconds * f64::from(rate)) as usize)
            .map(|at| {
                let angle = phase + TAU * hertz * at as f64 / f64::from(rate);
                let value = 0.8 * angle.sin() + 0.2 * (2.0 * angle).sin() + self.noise(0.1);
                (level * value).round() as i16
            })
            .collect();
        wav(rate, &samples)
    }
}

/// A pitch for each class, far enough apart for bands of sound.
fn pitch(class: usize, classes: usize, low: f64, high: f64) -> f64 {
    low * (high / low).powf(class as f64 / (classes - 1) as f64)
}

/// `speakers` speakers who say each of twelve labels twice, one second at 16 kHz; noise has no speaker.
pub(crate) fn keywords(speakers: u32, seed: u64) -> Files {
    let (mut chance, mut files) = (Chance::new(seed), Files::new());
    for (class, word) in WORDS.iter().enumerate() {
        for (speaker, take) in (0..speakers).flat_map(|speaker| [(speaker, 0), (speaker, 1)]) {
            // A hash as the names of the real files have it.
            let hash = speaker.wrapping_add(1 + 1000 * seed as u32).wrapping_mul(0x9e37_79b1);
            let name = match *word {
                "_silence_" => format!("{:04}", 1000 + 2 * speaker + take),
                "_unknown_" => format!("backward_{hash:08x}_nohash_{take}"),
                _ => format!("{hash:08x}_nohash_{take}"),
            };
            let level = if class == 0 { 60.0 } else { chance.within(6000.0, 12000.0) };
            let sound = chance.tone(16_000, 1.0, pitch(class, 12, 200.0, 6000.0), level);
            files.insert(format!("{word}/{name}.wav"), sound);
        }
    }
    files
}

/// The same as the archives `train` and `val`, of other speakers.
pub(crate) fn keyword_archives(train: u32, val: u32) -> Files {
    let archive = |files: Files| tar_gz(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    Files::from([
        ("train.tar.gz".to_owned(), archive(keywords(train, 1))),
        ("val.tar.gz".to_owned(), archive(keywords(val, 2))),
    ])
}

/// Prompts of the same names in five folders, with folders in them; one is silent, one file is no sound.
pub(crate) fn prompts(seed: u64) -> Files {
    let (mut chance, mut files) = (Chance::new(seed), Files::new());
    for (class, voice) in VOICES.iter().enumerate() {
        let mut say = |name: &str, seconds: f64, level: f64| {
            let sound = chance.tone(8_000, seconds, pitch(class, 5, 200.0, 2400.0), level);
            files.insert(format!("sounds/{voice}/{name}.wav"), sound);
        };
        for number in 0..10 {
            say(&format!("digits/{number}"), 1.1 + 0.06 * f64::from(number), 8000.0);
            say(&format!("letters/{number}"), 1.5 + 0.1 * f64::from(number), 5000.0);
        }
        say("agent-loginok", 3.2, 6000.0);
        say("silence/1", 1.5, 20.0);
        files.insert(format!("sounds/{voice}/LICENSE.txt"), b"A licence is no sound.\n".to_vec());
    }
    files
}

/// Ten digits by three speakers, eight times each, 0.2 s to 1.2 s at 8 kHz.
pub(crate) fn digits(seed: u64) -> Files {
    let (mut chance, mut files) = (Chance::new(seed), Files::new());
    for digit in 0..10 {
        for (speaker, take) in ["anna", "ben", "zoe"].iter().flat_map(|s| (0..8).map(move |take| (s, take))) {
            let seconds = if take == 0 { 1.2 } else { chance.within(0.2, 0.9) };
            let sound = chance.tone(8_000, seconds, pitch(digit, 10, 150.0, 3000.0), 9000.0);
            files.insert(format!("{digit}/{digit}_{speaker}_{take}.wav"), sound);
        }
    }
    files
}

/// Four files of IDX: dark or bright stripes of five kinds in pictures of 28 x 28.
pub(crate) fn clothes(train: usize, test: usize) -> Files {
    let mut files = Files::new();
    for (part, n, seed) in [("train", train, 1), ("t10k", test, 2)] {
        let mut chance = Chance::new(seed);
        let (mut pictures, mut labels) = (Vec::new(), Vec::new());
        for class in (0..n).map(|sample| sample % 10) {
            labels.push(u8::try_from(class).unwrap());
            let level = if class < 5 { 50.0 } else { 130.0 };
            let shift = chance.within(0.0, 8.0) as usize;
            for (row, column) in (0..28).flat_map(|row| (0..28).map(move |column| (row, column))) {
                let stripe = match class % 5 {
                    0 => 0,
                    1 => (row + shift) % 2,
                    2 => (column + shift) % 2,
                    3 => (row + shift) / 4 % 2,
                    _ => (column + shift) / 4 % 2,
                };
                let value = level + 100.0 * stripe as f64 + chance.noise(15.0);
                pictures.push(value.round() as u8);
            }
        }
        files.insert(format!("{part}-images-idx3-ubyte.gz"), gz(&idx(&[n, 28, 28], &pictures)));
        files.insert(format!("{part}-labels-idx1-ubyte.gz"), gz(&idx(&[n], &labels)));
    }
    files
}

/// Arrays of windows with labels and tables: `train` of eight subjects, `val` of three others.
pub(crate) fn activities(windows: usize) -> Files {
    let mut files = Files::new();
    for (part, subjects, seed) in [("train", 1..=8, 1), ("val", 9..=11, 2)] {
        let mut chance = Chance::new(seed);
        let (mut values, mut labels, mut n) = (Vec::new(), Vec::new(), 0);
        let mut table = "index,label,name,subject,recording,device,start\n".to_owned();
        for (subject, window) in
            subjects.flat_map(|subject| (0..windows).map(move |window| (subject, window)))
        {
            let class = window % ACTIVITIES.len();
            let name = ACTIVITIES[class];
            writeln!(table, "{n},{class},{name},s{subject:02},s{subject:02}_01_sp,sp,{}", 64 * window)
                .unwrap();
            labels.push(u8::try_from(class).unwrap());
            let (phase, pace) = (chance.within(0.0, TAU), TAU * pitch(class, 5, 0.02, 0.3));
            for (time, axis) in (0..128).flat_map(|time| (0..6).map(move |axis| (time, axis))) {
                let size = if axis < 3 { 3.0 } else { 50.0 };
                let wave = (phase + f64::from(axis) + pace * f64::from(time)).sin();
                let value = size * (wave + chance.noise(0.4));
                values.extend((value as f32).to_le_bytes());
            }
            n += 1;
        }
        files.insert(format!("{part}_x.npy.gz"), gz(&npy("<f4", &format!("({n}, 128, 6)"), &values)));
        files.insert(format!("{part}_y.npy.gz"), gz(&npy("|u1", &format!("({n},)"), &labels)));
        files.insert(format!("{part}.csv"), table.into_bytes());
    }
    files
}

/// Tables of eight sensors that swing together; where `anomaly` is 1 they do not. One file has no such column.
pub(crate) fn pumps(seed: u64) -> Files {
    let mut chance = Chance::new(seed);
    let mut files = Files::from([(
        "skab/anomaly-free/anomaly-free.csv".to_owned(),
        pump(&mut chance, 600, false).into_bytes(),
    )]);
    for (folder, n) in [("other", 3), ("valve1", 4), ("valve2", 3)] {
        for file in 0..n {
            let text = pump(&mut chance, 240, true);
            files.insert(format!("skab/{folder}/{file}.csv"), text.into_bytes());
        }
    }
    files
}

fn pump(chance: &mut Chance, rows: usize, labelled: bool) -> String {
    let mut text = format!("datetime;{}", SENSORS.join(";"));
    text += if labelled { ";anomaly;changepoint\n" } else { "\n" };
    let start = chance.within(0.0, TAU);
    for row in 0..rows {
        let anomalous = labelled && (120..180).contains(&row);
        write!(text, "2020-03-09 {:02}:{:02}:{:02}", 10 + row / 3600, row / 60 % 60, row % 60).unwrap();
        for sensor in 0..SENSORS.len() {
            let wave = (start + 0.2 * row as f64 + sensor as f64).sin() + chance.noise(0.2);
            let odd = if anomalous { chance.noise(4.0) } else { 0.0 };
            write!(text, ";{:.5}", 10.0 * (sensor + 1) as f64 + wave + odd).unwrap();
        }
        if labelled {
            let changes = row == 120 || row == 180;
            write!(text, ";{:.1};{:.1}", f64::from(u8::from(anomalous)), f64::from(u8::from(changes)))
                .unwrap();
        }
        text.push('\n');
    }
    text
}

/// Two `.ts` files of 12 coefficients over 25 moments by nine speakers.
pub(crate) fn vowels(train: usize, test: usize) -> Files {
    let mut files = Files::new();
    for (part, n, seed) in [("TRAIN", train, 1), ("TEST", test, 2)] {
        let mut chance = Chance::new(seed);
        let mut text = "@problemName JapaneseVowels\n@timeStamps false\n@missing false\n@univariate false\n\
                        @dimensions 12\n@equalLength true\n@seriesLength 25\n@classLabel true 1 2 3 4 5 6 7 8 9\n\
                        @data\n"
            .to_owned();
        for speaker in (0..n).map(|sample| sample % 9) {
            for coefficient in 0..12 {
                // Each speaker has a level of each coefficient.
                let level = (1.7 * (speaker * 12 + coefficient) as f64).sin();
                let values: Vec<String> = (0..25)
                    .map(|time| {
                        let curve = 0.3 * (0.2 * f64::from(time)).sin();
                        format!("{:.6}", level + curve + chance.noise(0.5))
                    })
                    .collect();
                write!(text, "{}:", values.join(",")).unwrap();
            }
            writeln!(text, "{}", speaker + 1).unwrap();
        }
        files.insert(format!("JapaneseVowels_eq_{part}.ts"), text.into_bytes());
    }
    files
}
