//! RIFF WAV to 16-bit mono sound.
//!
//! In: the bytes of a file. Out: its rate and one 16-bit number for each moment. Whole numbers of 8, 16, 24 and 32
//! bit and floats of 32 bit, 1 to 8 channels, chunks in any order. 16 bit mono comes out as it is. All else is rounded
//! once, half away from zero, after the mean of the channels at full resolution; floats count `1.0` as 32768 and what
//! is beyond full scale is clipped. Deliberately not done here: unpacking compressed sound, which is refused by name,
//! and resampling.
//!
//! A parser of our own, since it is short, since it says what it found of what it refuses, and since a whole file in
//! memory leaves no place where a wrong length can be believed.
//!
//! Source  Microsoft, "Multiple Channel Audio Data and WAVE Files" (2007); RFC 2361 for the numbers of the formats.

use crate::diagnostic::{Code, Diagnostic};

/// Channels of a recording at most.
const CHANNELS: u16 = 8;
/// Samples of a second, lowest and highest.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;
const CONVERT: &str = "convert it: `ffmpeg -i FILE -c:a pcm_s16le NEW.wav`";

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wav {
    /// Samples of a second.
    pub(super) rate: u32,
    /// One number for each moment, at least one.
    pub(super) samples: Vec<i16>,
}

/// What the `fmt ` chunk says.
#[derive(Clone, Copy)]
struct Format {
    rate: u32,
    channels: usize,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    U8,
    I16,
    I24,
    I32,
    F32,
}

/// Reads a WAV file; messages call it `shown`.
///
/// # Errors
/// E0702 for what is no WAV file, is cut short, compressed or without samples.
pub(super) fn parse(bytes: &[u8], shown: &str) -> Result<Wav, Diagnostic> {
    let problem =
        |(text, help): Problem| Diagnostic::error(Code::DATA_FORMAT, format!("{shown} {text}")).help(help);
    let (format, data) = chunks(bytes).map_err(problem)?;
    Ok(Wav { rate: format.rate, samples: decode(format, data).map_err(problem)? })
}

/// What is wrong, and the way out.
type Problem = (String, String);

fn fault<T>(text: impl Into<String>, help: &str) -> Result<T, Problem> {
    Err((text.into(), help.to_owned()))
}

fn cut_short<T>(what: &str) -> Result<T, Problem> {
    fault(format!("is cut short: {what}"), "copy or download it again")
}

/// The two bytes at `at` as a number.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*four))
}

/// Format and samples, wherever in the file they are.
fn chunks(bytes: &[u8]) -> Result<(Format, &[u8]), Problem> {
    check_riff(bytes)?;
    let mut rest = bytes.get(12..).unwrap_or_default();
    let (mut format, mut data) = (None, None);
    while format.is_none() || data.is_none() {
        let (Some(name), Some(size)) = (rest.get(..4), u32_at(rest, 4)) else { break };
        let body = rest.get(8..).unwrap_or_default();
        let size = size as usize;
        match (name, body.get(..size)) {
            (b"fmt ", Some(body)) if format.is_none() => format = Some(read_format(body)?),
            (b"data", Some(body)) if data.is_none() => data = Some(body),
            (b"data", None) if size == u32::MAX as usize => {
                return fault(
                    "has a `data` chunk without a length, as a pipe leaves it",
                    "write it to a file that its writer can go back in, or convert it with ffmpeg",
                );
            }
            (b"data", None) => {
                return cut_short(&format!("its `data` chunk says {size} bytes, {} are there", body.len()));
            }
            (b"fmt ", None) => return cut_short("its `fmt ` chunk ends early"),
            // Of others no more is believed than is there: what is missing then was in them.
            _ => {}
        }
        // A chunk of odd length is followed by one byte of padding.
        rest = body.get(size.saturating_add(size % 2)..).unwrap_or_default();
    }
    match (format, data) {
        (Some(format), Some(data)) => Ok((format, data)),
        (None, _) => cut_short("there is no `fmt ` chunk"),
        (_, None) => cut_short("there is no `data` chunk"),
    }
}

fn check_riff(bytes: &[u8]) -> Result<(), Problem> {
    match (bytes.get(..4), bytes.get(8..12)) {
        (Some(b"RIFF"), Some(b"WAVE")) => Ok(()),
        (Some(b"RIFX" | b"RF64" | b"BW64"), _) => {
            let name = String::from_utf8_lossy(&bytes[..4]).into_owned();
            fault(format!("is a WAV file of the kind {name}; RIFF is read"), CONVERT)
        }
        (Some(b"RIFF"), None) => cut_short("it ends after the name RIFF"),
        (Some(b"RIFF"), _) => fault("is a RIFF file, but of no sound (WAVE)", CONVERT),
        _ if bytes.is_empty() => fault("is empty", "copy or download it again"),
        _ => {
            let found = match bytes {
                [b'I', b'D', b'3', ..] | [0xff, 0xe0..=0xff, ..] => ", but MP3",
                [b'O', b'g', b'g', b'S', ..] => ", but Ogg",
                [b'f', b'L', b'a', b'C', ..] => ", but FLAC",
                [b'F', b'O', b'R', b'M', ..] => ", but AIFF",
                _ => ": it does not begin with RIFF",
            };
            fault(format!("is no WAV file{found}"), CONVERT)
        }
    }
}

fn read_format(body: &[u8]) -> Result<Format, Problem> {
    let field = |at| u16_at(body, at);
    let (Some(mut tag), Some(channels), Some(rate), Some(block), Some(bits)) =
        (field(0), field(2), u32_at(body, 4), field(12), field(14))
    else {
        return fault(
            format!("has a `fmt ` chunk of {} bytes; it takes 16", body.len()),
            "copy or download it again",
        );
    };
    if tag == EXTENSIBLE {
        // The format is the start of an identifier that otherwise is always the same.
        let Some(real) = field(24) else {
            return fault("has a `fmt ` chunk that ends before its format", "copy or download it again");
        };
        tag = real;
    }
    let kind = match (tag, bits) {
        (PCM, 8) => Kind::U8,
        (PCM, 16) => Kind::I16,
        (PCM, 24) => Kind::I24,
        (PCM, 32) => Kind::I32,
        (FLOAT, 32) => Kind::F32,
        (PCM, _) => return fault(format!("has {bits} bit a sample; 8, 16, 24 and 32 are read"), CONVERT),
        (FLOAT, _) => return fault(format!("has floats of {bits} bit; those of 32 are read"), CONVERT),
        _ => return fault(format!("is compressed: format {tag}{}", format_name(tag)), CONVERT),
    };
    if channels == 0 || channels > CHANNELS {
        return fault(format!("has {channels} channels; 1 to {CHANNELS} are read"), CONVERT);
    }
    if !RATES.contains(&rate) {
        let (low, high) = (RATES.start(), RATES.end());
        return fault(
            format!("says it has {rate} samples a second; {low} to {high} are read"),
            "the header is wrong: convert the recording again from its source",
        );
    }
    if block != channels * (bits / 8) {
        return fault(
            format!("says that {channels} channels of {bits} bit take {block} bytes"),
            "the header is wrong: convert the recording again from its source",
        );
    }
    Ok(Format { rate, channels: usize::from(channels), kind })
}

fn format_name(tag: u16) -> &'static str {
    match tag {
        2 => ", ADPCM",
        6 => ", A-law",
        7 => ", mu-law",
        0x11 => ", IMA ADPCM",
        0x31 => ", GSM 6.10",
        0x50 => ", MPEG",
        0x55 => ", MP3",
        0xff | 0x1600 => ", AAC",
        0x161 => ", WMA",
        0xf1ac => ", FLAC",
        _ => "",
    }
}

fn decode(format: Format, data: &[u8]) -> Result<Vec<i16>, Problem> {
    let width = match format.kind {
        Kind::U8 => 1,
        Kind::I16 => 2,
        Kind::I24 => 3,
        Kind::I32 | Kind::F32 => 4,
    };
    let moment = width * format.channels;
    if !data.len().is_multiple_of(moment) {
        return cut_short(&format!("its {} bytes of samples are no multiple of {moment}", data.len()));
    }
    if let (Kind::I16, 1) = (format.kind, format.channels) {
        return Ok(data.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect());
    }
    let count = format.channels as i64;
    let mut samples = Vec::with_capacity(data.len() / moment);
    for (index, channels) in data.chunks_exact(moment).enumerate() {
        let mut sum = 0;
        for bytes in channels.chunks_exact(width) {
            let Some(value) = fixed(format.kind, bytes) else {
                return fault(format!("has a float that is not finite, sample {index}"), CONVERT);
            };
            sum += value;
        }
        samples.push(rounded(sum, count));
    }
    Ok(samples)
}

/// A number with 32 bits, full scale `2^31`; `None` for a float that is not finite.
fn fixed(kind: Kind, bytes: &[u8]) -> Option<i64> {
    let mut four = [0; 4];
    four[4 - bytes.len()..].copy_from_slice(bytes);
    let whole = i64::from(i32::from_le_bytes(four));
    match kind {
        Kind::U8 => Some((i64::from(bytes[0]) - 128) << 24),
        Kind::I16 | Kind::I24 | Kind::I32 => Some(whole),
        Kind::F32 => {
            let value = f32::from_le_bytes(four);
            // The product with a power of two is exact.
            value.is_finite().then(|| (f64::from(value) * 2_147_483_648.0).clamp(-2e10, 2e10).round() as i64)
        }
    }
}

/// The mean of `count` numbers with 32 bits as one of 16, half away from zero.
fn rounded(sum: i64, count: i64) -> i16 {
    let unit = count << 16;
    let magnitude = (sum.abs() + unit / 2) / unit;
    let value = if sum < 0 { -magnitude } else { magnitude };
    value.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = name.to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes.extend(vec![0; body.len() % 2]);
        bytes
    }

    fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = [b"WAVE".to_vec(), chunks.concat()].concat();
        chunk(b"RIFF", &body)
    }

    fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let block = channels.wrapping_mul(bits / 8);
        let mut body = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        body.extend(rate.to_le_bytes());
        body.extend(rate.wrapping_mul(u32::from(block)).to_le_bytes());
        body.extend([block.to_le_bytes(), bits.to_le_bytes()].concat());
        chunk(b"fmt ", &body)
    }

    fn extensible(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
        let mut body = fmt(EXTENSIBLE, channels, rate, bits)[8..].to_vec();
        body.extend(22u16.to_le_bytes());
        body.extend([bits.to_le_bytes(), [0, 0], [0, 0]].concat());
        body.extend(tag.to_le_bytes());
        body.extend([0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113]);
        chunk(b"fmt ", &body)
    }

    /// A file of 16-bit mono sound.
    pub(in crate::data) fn mono(rate: u32, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
        riff(&[fmt(PCM, 1, rate, 16), chunk(b"data", &data)])
    }

    fn of(format: Vec<u8>, data: &[u8]) -> Result<Wav, Diagnostic> {
        parse(&riff(&[format, chunk(b"data", data)]), "`x.wav`")
    }

    fn samples(format: Vec<u8>, data: &[u8]) -> Vec<i16> {
        of(format, data).unwrap().samples
    }

    #[track_caller]
    fn refused(bytes: &[u8], parts: &[&str]) {
        let diagnostic = parse(bytes, "`x.wav`").unwrap_err();
        assert_eq!(diagnostic.code, Code::DATA_FORMAT);
        assert!(!diagnostic.help.is_empty());
        for part in parts.iter().chain(&["`x.wav`"]) {
            assert!(diagnostic.message.contains(part), "`{part}` is not in: {}", diagnostic.message);
        }
    }

    #[test]
    fn every_width_comes_out_at_16_bit() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let exact = parse(&mono(16_000, &all), "x").unwrap();
        assert_eq!(exact, Wav { rate: 16_000, samples: all });
        assert_eq!(samples(fmt(PCM, 1, 8_000, 8), &[0, 127, 128, 129, 255]), [-32768, -256, 0, 256, 32512]);
        let bytes = |values: &[i32], width: usize| -> Vec<u8> {
            values.iter().flat_map(|x| x.to_le_bytes().into_iter().take(width)).collect()
        };
        let three = bytes(&[-0x80_0000, -128, -127, 0, 127, 128, 383, 384, 0x7f_ffff], 3);
        assert_eq!(samples(fmt(PCM, 1, 8_000, 24), &three), [-32768, -1, 0, 0, 0, 1, 1, 2, 32767]);
        let four = bytes(&[i32::MIN, -0x8000, -0x7fff, 0x7fff, 0x8000, i32::MAX], 4);
        assert_eq!(samples(fmt(PCM, 1, 8_000, 32), &four), [-32768, -1, 0, 0, 1, 32767]);
        let floats: Vec<u8> = [-1.0f32, -2.5, 0.0, 0.5, 1.0, 1e30, 1.5 / 32768.0, -1e-40]
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        assert_eq!(
            samples(fmt(FLOAT, 1, 8_000, 32), &floats),
            [-32768, -32768, 0, 16384, 32767, 32767, 2, 0]
        );
    }

    #[test]
    fn channels_are_averaged_half_away_from_zero() {
        let bytes = |values: &[i16]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let pairs = bytes(&[1, 2, -1, -2, 1, 1, 32767, 32767, -32768, -32768, -32768, 32767]);
        assert_eq!(samples(fmt(PCM, 2, 8_000, 16), &pairs), [2, -2, 1, 32767, -32768, -1]);
        assert_eq!(samples(fmt(PCM, 3, 8_000, 16), &bytes(&[1, 1, 2, -5, 0, 0])), [1, -2]);
        assert_eq!(samples(fmt(PCM, 8, 8_000, 16), &bytes(&[7, 1, 0, 0, 0, 0, 0, 0])), [1]);
    }

    #[test]
    fn chunks_come_in_any_order() {
        let list = chunk(b"LIST", b"INFOx");
        let data = chunk(b"data", &[1, 0, 2, 0]);
        let expected = Wav { rate: 16_000, samples: vec![1, 2] };
        let format = fmt(PCM, 1, 16_000, 16);
        for order in [
            vec![format.clone(), list.clone(), data.clone()],
            vec![list.clone(), format.clone(), data.clone(), list.clone()],
            vec![data.clone(), list, format],
            vec![extensible(PCM, 1, 16_000, 16), data.clone()],
        ] {
            assert_eq!(parse(&riff(&order), "x").unwrap(), expected);
        }
        let odd = riff(&[fmt(PCM, 1, 8_000, 8), chunk(b"data", &[128, 129, 130])]);
        assert_eq!(parse(&odd, "x").unwrap().samples, [0, 256, 512]);
        // Some writers leave the last padding out.
        assert_eq!(parse(&odd[..odd.len() - 1], "x").unwrap().samples, [0, 256, 512]);
    }

    #[test]
    fn what_is_no_plain_sound_is_refused_by_name() {
        let whole = mono(16_000, &[1, 2, 3, 4]);
        refused(&whole[..whole.len() - 1], &["cut short", "8 bytes, 7 are there"]);
        refused(&whole[..40], &["cut short", "no `data` chunk"]);
        refused(&whole[..30], &["cut short", "`fmt ` chunk"]);
        refused(&whole[..14], &["cut short"]);
        refused(&whole[..6], &["cut short"]);
        refused(b"", &["empty"]);
        refused(b"ID3\x04rest of it", &["no WAV file, but MP3"]);
        refused(b"OggS rest of it", &["no WAV file, but Ogg"]);
        refused(b"fLaC rest of it", &["no WAV file, but FLAC"]);
        refused(b"hello, this is text", &["no WAV file", "RIFF"]);
        refused(b"RF64....WAVE", &["RF64"]);
        refused(b"RIFF....AVI LIST", &["no sound"]);
        let with = |format: Vec<u8>, data: &[u8]| riff(&[format, chunk(b"data", data)]);
        for (tag, name) in
            [(7, "mu-law"), (2, "ADPCM"), (85, "MP3"), (6, "A-law"), (17, "IMA ADPCM"), (999, "999")]
        {
            refused(&with(fmt(tag, 1, 8_000, 8), &[0]), &["compressed", name]);
            refused(&with(extensible(tag, 1, 8_000, 8), &[0]), &["compressed", name]);
        }
        refused(&with(fmt(PCM, 0, 8_000, 16), &[0]), &["0 channels"]);
        refused(&with(fmt(PCM, 9, 8_000, 16), &[0; 18]), &["9 channels"]);
        refused(&with(fmt(PCM, 1, 8_000, 12), &[0]), &["12 bit"]);
        refused(&with(fmt(FLOAT, 1, 8_000, 64), &[0; 8]), &["floats of 64 bit"]);
        refused(&with(fmt(PCM, 1, 0, 16), &[0, 0]), &["0 samples a second"]);
        refused(&with(fmt(PCM, 1, u32::MAX, 16), &[0, 0]), &["4294967295 samples a second"]);
        refused(&with(fmt(PCM, 2, 8_000, 16), &[0; 6]), &["6 bytes of samples", "4"]);
        refused(&with(fmt(FLOAT, 1, 8_000, 32), &f32::NAN.to_le_bytes()), &["not finite"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            base in 0usize..4,
            changes in prop::collection::vec((0usize..80, any::<u8>()), 0..6),
            cut in 0usize..80,
            noise in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = match base {
                0 => mono(16_000, &[1, -2, 3]),
                1 => riff(&[extensible(FLOAT, 2, 8_000, 32), chunk(b"data", &[0; 16])]),
                2 => riff(&[chunk(b"data", &[7; 9]), fmt(PCM, 3, 44_100, 24)]),
                _ => noise,
            };
            for &(at, value) in &changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(bytes.len().max(cut) - cut / 2);
            if let Ok(wav) = parse(&bytes, "x") {
                prop_assert!(!wav.samples.is_empty() && RATES.contains(&wav.rate));
            }
        }

        #[test]
        fn mono_of_16_bit_is_exact(values in prop::collection::vec(any::<i16>(), 1..200)) {
            let wav = parse(&mono(11_025, &values), "x").unwrap();
            prop_assert_eq!(wav.samples, values);
        }
    }
}
