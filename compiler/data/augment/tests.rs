use proptest::prelude::*;
use rand_chacha::rand_core::SeedableRng;

use super::*;

const ELEMENTS: [Element; 3] = [Element::U8, Element::I16, Element::F32];

fn stream(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A sample of whole numbers, which every element can hold, different at neighbouring places.
fn sample(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + i / 7) % 251) as f32).collect()
}

fn applied(change: &Augment, from: &[f32], extents: [usize; 3], element: Element, seed: u64) -> Vec<f32> {
    let mut values = from.to_vec();
    change.apply(&mut values, extents, element, &mut stream(seed), &mut Vec::new());
    values
}

fn background() -> Background {
    Background::new("hum", vec![vec![], vec![100.0, -200.0, 300.0], vec![50.0; 70]]).unwrap()
}

/// One of each kind, `strength` of 0 for those that change nothing.
fn kinds(strength: f32, count: usize) -> Vec<Augment> {
    vec![
        Augment::Shift { samples: count },
        Augment::Noise { share: strength, background: None },
        Augment::Noise { share: strength, background: Some(background()) },
        Augment::Gain { share: strength },
        Augment::Tilt { share: strength },
        Augment::TimeMask { rows: count },
        Augment::FrequencyMask { bands: count },
        Augment::Speed { share: strength },
        Augment::Crop { share: strength },
        Augment::Brightness { share: strength },
        Augment::Rotate { degrees: 180.0 * strength },
    ]
}

fn deviation(values: &[f32]) -> f64 {
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    (values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// A tone, as loud as speech.
fn tone(len: usize) -> Vec<f32> {
    (0..len).map(|i| (3000.0 * (i as f64 * 0.17).sin()).round() as f32).collect()
}

proptest! {
    #[test]
    fn changes_repeat_and_keep_to_the_element(
        extents in [1usize..20, 1usize..9, 1usize..8],
        seed: u64,
        strength in 0.0f32..0.9,
        count in 0usize..40,
    ) {
        let from = sample(extents.iter().product());
        let mut list = kinds(strength, count);
        list.push(Augment::Flip);
        list.push(Augment::Shift { samples: usize::MAX });
        list.push(Augment::TimeMask { rows: usize::MAX });
        list.push(Augment::FrequencyMask { bands: usize::MAX });
        for element in ELEMENTS {
            for change in &list {
                let found = applied(change, &from, extents, element, seed);
                prop_assert_eq!(&found, &applied(change, &from, extents, element, seed), "{:?}", change);
                let mut again = Vec::new();
                if element != Element::F32 {
                    let mut bytes = Vec::new();
                    element.encode(&found, &mut bytes);
                    again.resize(found.len(), 0.0);
                    element.decode(&bytes, &mut again);
                    prop_assert_eq!(&found, &again, "{:?} {:?}", change, element);
                } else {
                    prop_assert!(found.iter().all(|x| x.is_finite()), "{:?}", change);
                }
            }
        }
    }

    #[test]
    fn nothing_is_the_identity(extents in [1usize..20, 1usize..9, 1usize..8], seed: u64) {
        let from = sample(extents.iter().product());
        for element in ELEMENTS {
            for change in kinds(0.0, 0) {
                prop_assert_eq!(&applied(&change, &from, extents, element, seed), &from, "{:?}", change);
            }
        }
    }

    #[test]
    fn a_shift_moves_rows_and_fills(rows in 1usize..30, row in 1usize..5, most in 0usize..40, seed: u64) {
        let from = sample(rows * row);
        for element in ELEMENTS {
            let found = applied(&Augment::Shift { samples: most }, &from, [rows, 1, row], element, seed);
            let limit = most.min(rows) as isize;
            let explained = (-limit..=limit).any(|offset| {
                (0..rows as isize).all(|index| {
                    let origin = index - offset;
                    let inside = (0..rows as isize).contains(&origin);
                    let edge = origin.clamp(0, rows as isize - 1) as usize;
                    (0..row).all(|value| {
                        let silent = !inside && element == Element::I16;
                        found[index as usize * row + value] == if silent { 0.0 } else { from[edge * row + value] }
                    })
                })
            });
            prop_assert!(explained, "{:?} {:?}", from, found);
        }
    }

    #[test]
    fn masks_cover_at_most_that(extents in [1usize..20, 1usize..9, 1usize..8], most in 0usize..12, seed: u64) {
        let [height, width, channels] = extents;
        let from = vec![1.0; height * width * channels];
        let rows = applied(&Augment::TimeMask { rows: most }, &from, extents, Element::I16, seed);
        let masked: Vec<bool> = rows.chunks(width * channels).map(|row| row[0] == 0.0).collect();
        let whole = rows.chunks(width * channels).all(|row| row.iter().all(|x| *x == row[0]));
        prop_assert!(whole && one_run(&masked) <= most.min(height));

        let bands = applied(&Augment::FrequencyMask { bands: most }, &from, extents, Element::I16, seed);
        let band = if width == 1 { 1 } else { channels };
        let masked: Vec<bool> = bands[..width * channels].chunks(band).map(|band| band[0] == 0.0).collect();
        prop_assert!(bands.chunks(width * channels).all(|row| row == &bands[..width * channels]));
        prop_assert!(one_run(&masked) <= most.min(masked.len()));
    }

    #[test]
    fn rotations_preserve_norms_and_angles(rows in 1usize..10, groups in 1usize..4, rest in 0usize..3, seed: u64) {
        let channels = 3 * groups + rest;
        let from: Vec<f32> = sample(rows * channels).iter().map(|x| x / 100.0 - 1.0).collect();
        let turned =
            applied(&Augment::Rotate { degrees: 180.0 }, &from, [rows, 1, channels], Element::F32, seed);
        let dot = |a: &[f32], b: &[f32]| (0..3).map(|i| f64::from(a[i]) * f64::from(b[i])).sum::<f64>();
        for (before, after) in from.chunks(channels).zip(turned.chunks(channels)) {
            prop_assert_eq!(&before[3 * groups..], &after[3 * groups..]);
            for group in (0..groups).map(|g| 3 * g..3 * g + 3) {
                // Against the first group too: all turn by the same rotation.
                for (a, b) in [(group.clone(), group.clone()), (group.clone(), 0..3)] {
                    let (was, is) =
                        (dot(&before[a.clone()], &before[b.clone()]), dot(&after[a], &after[b]));
                    prop_assert!((was - is).abs() < 1e-5, "{was} {is}");
                }
            }
        }
    }

    #[test]
    fn mirroring_twice_is_the_identity(extents in [1usize..20, 1usize..9, 1usize..8]) {
        let [_, width, channels] = extents;
        let from = sample(extents.iter().product());
        let mut once = from.clone();
        picture::mirror(&mut once, extents);
        for (index, x) in once.iter().enumerate() {
            let (pixel, channel) = (index / channels, index % channels);
            let column = pixel % width;
            prop_assert_eq!(*x, from[(pixel - column + width - 1 - column) * channels + channel]);
        }
        picture::mirror(&mut once, extents);
        prop_assert_eq!(once, from);
    }

    #[test]
    fn a_crop_of_a_slope_is_a_slope(height in 2usize..30, width in 2usize..30, cut in 0.0f32..0.9, place in [0.0f32..1.0, 0.0f32..1.0]) {
        // Bilinear interpolation is exact on a plane, except where the edge is repeated.
        let plane = |y: f64, x: f64| 3.0 * y.clamp(0.0, height as f64 - 1.0) - 2.0 * x.clamp(0.0, width as f64 - 1.0);
        let mut found: Vec<f32> =
            (0..height * width).map(|i| plane((i / width) as f64, (i % width) as f64) as f32).collect();
        picture::crop(&mut found, [height, width, 1], cut, place, &mut Vec::new());
        let cut = f64::from(cut);
        let at = |extent: usize, place: f32, index: usize| {
            // The window's pixels part [start, start + (1 - cut) extent] evenly; a pixel i covers [i, i + 1].
            cut * extent as f64 * f64::from(place) + (1.0 - cut) * (index as f64 + 0.5) - 0.5
        };
        for (index, x) in found.iter().enumerate() {
            let wanted = plane(at(height, place[0], index / width), at(width, place[1], index % width));
            prop_assert!((f64::from(*x) - wanted).abs() < 1e-3, "{index}: {x} {wanted}");
        }
    }

    #[test]
    fn speed_stretches_about_the_middle(rows in 1usize..50, factor in 0.5f32..1.5) {
        let end = rows as f64 - 1.0;
        for element in [Element::F32, Element::I16] {
            let mut found: Vec<f32> = (0..2 * rows).map(|i| 1.0 + (i / 2) as f32).collect();
            signal::speed(&mut found, 2, factor, element, &mut Vec::new());
            for (index, pair) in found.chunks(2).enumerate() {
                let place = end / 2.0 + (index as f64 - end / 2.0) * f64::from(factor);
                if (place.min(end - place)).abs() < 1e-6 {
                    continue; // either side of the edge
                }
                let outside = !(0.0..=end).contains(&place);
                let silent = outside && element == Element::I16;
                let wanted = if silent { 0.0 } else { 1.0 + place.clamp(0.0, end) };
                prop_assert!(pair.iter().all(|x| (f64::from(*x) - wanted).abs() < 1e-4), "{pair:?} {wanted}");
            }
        }
    }

    #[test]
    fn rounding_is_that_of_the_standard_library(x in -40_000.0f32..40_000.0) {
        for x in [x, (x * 2.0).trunc() / 2.0, x / 65_536.0] {
            let mut values = [x, x];
            settle(&mut values[..1], Element::I16);
            settle(&mut values[1..], Element::U8);
            prop_assert_eq!(values[0], x.round().clamp(-32_768.0, 32_767.0));
            prop_assert_eq!(values[1], x.round().clamp(0.0, 255.0));
        }
    }
}

/// How many are masked; they have to be neighbours.
fn one_run(masked: &[bool]) -> usize {
    let count = masked.iter().filter(|&&m| m).count();
    let first = masked.iter().position(|&m| m).unwrap_or(0);
    assert!(masked[first..first + count].iter().all(|&m| m), "{masked:?}");
    count
}

#[test]
fn rounding_goes_away_from_zero_on_ties() {
    let mut values = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.499_999_97, -0.499_999_97, 40_000.0, -40_000.0];
    settle(&mut values, Element::I16);
    assert_eq!(values, [1.0, 2.0, 3.0, -1.0, -2.0, -3.0, 0.0, 0.0, 32_767.0, -32_768.0]);
    let mut values = [-3.0, 254.5, 255.5, f32::INFINITY];
    settle(&mut values, Element::U8);
    assert_eq!(values, [0.0, 255.0, 255.0, 255.0]);
}

#[test]
fn shifts_are_uniform_and_reach_both_ends() {
    let from: Vec<f32> = (0..9).map(|i| 10.0 + i as f32).collect();
    let mut seen = [0; 7];
    for seed in 0..7000 {
        let found = applied(&Augment::Shift { samples: 3 }, &from, [9, 1, 1], Element::I16, seed);
        // The middle stays inside whatever the offset.
        seen[(found[4] - 11.0) as usize] += 1;
    }
    // Binomial: deviation 29.
    assert!(seen.iter().all(|count| (880..1120).contains(count)), "{seen:?}");
}

#[test]
fn white_noise_keeps_the_share_and_is_normal() {
    let from = tone(16_000);
    let loud = deviation(&from);
    let mut levels = Vec::new();
    for seed in 0..200 {
        let noise = Augment::Noise { share: 0.1, background: None };
        let found = applied(&noise, &from, [16_000, 1, 1], Element::F32, seed);
        let added: Vec<f32> = found.iter().zip(&from).map(|(a, b)| a - b).collect();
        let level = deviation(&added) / loud;
        levels.push(level);
        let (mean, deviation) =
            (added.iter().map(|&x| f64::from(x)).sum::<f64>() / 16_000.0, deviation(&added));
        assert!(mean.abs() < 5.0 * deviation / 16_000f64.sqrt(), "{mean} {deviation}");
        let within = added.iter().filter(|x| f64::from(x.abs()) < deviation).count();
        // 68.3 % of a normal variable, 66.8 % of this sum; binomial deviation 60.
        assert!((10_400..11_100).contains(&within), "{within}");
        let pairs: f64 = added.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum();
        assert!((pairs / 16_000.0 / deviation.powi(2)).abs() < 0.05, "white");
    }
    assert!(levels.iter().all(|&level| level < 0.1 * 1.03), "{levels:?}");
    let mean = levels.iter().sum::<f64>() / 200.0;
    // Uniform in 0..=0.1: deviation of the mean 0.002.
    assert!((mean - 0.05).abs() < 0.01, "{mean}");
    assert!(levels.iter().any(|&l| l < 0.01) && levels.iter().any(|&l| l > 0.09));
}

#[test]
fn white_noise_is_relative_to_each_channel() {
    let from: Vec<f32> = tone(4000).iter().flat_map(|&x| [x, 100.0 * x + 1e6, 7.0]).collect();
    let noise = Augment::Noise { share: 1.0, background: None };
    let found = applied(&noise, &from, [4000, 1, 3], Element::F32, 1);
    let level = |channel: usize| {
        let pick = |values: &[f32]| -> Vec<f32> { values.iter().skip(channel).step_by(3).copied().collect() };
        let added: Vec<f32> = pick(&found).iter().zip(pick(&from)).map(|(a, b)| a - b).collect();
        (deviation(&added), deviation(&pick(&from)))
    };
    let ((a, of_a), (b, of_b), (constant, _)) = (level(0), level(1), level(2));
    assert!(a > 0.05 * of_a, "the seed draws a share that can be measured: {a}");
    assert!((a / of_a / (b / of_b) - 1.0).abs() < 0.1, "{a} {b}");
    assert_eq!(constant, 0.0);
}

#[test]
fn silence_gets_noise() {
    let silence = vec![0.0; 1000];
    let white = Augment::Noise { share: 1.0, background: None };
    let mixed = Augment::Noise { share: 0.01, background: Some(background()) };
    let (mut loudest, mut white_most) = (0.0f32, 0.0);
    for seed in 0..50 {
        let found = applied(&white, &silence, [1000, 1, 1], Element::I16, seed);
        white_most = deviation(&found).max(white_most);
        // At the volume that is drawn for silence, nearly every one is heard.
        let found = applied(&mixed, &silence, [1000, 1, 1], Element::I16, seed);
        loudest = found.iter().fold(loudest, |most, x| most.max(x.abs()));
    }
    assert!((200.0..340.0).contains(&white_most), "1 % of full scale, at most: {white_most}");
    assert!((200.0..=300.0).contains(&loudest), "far above the share, for it is silence: {loudest}");
}

#[test]
fn backgrounds_are_excerpts_at_a_volume() {
    let recording: Vec<f32> = (0..50).map(|i| (1000 + 10 * i) as f32).collect();
    let background = Background::new("ramp", vec![recording.clone()]).unwrap();
    let noise = Augment::Noise { share: 0.5, background: Some(background) };
    let from = vec![1.0; 120];
    let (mut untouched, mut volumes) = (0, Vec::new());
    for seed in 0..1000 {
        let found = applied(&noise, &from, [60, 1, 2], Element::F32, seed);
        if found == from {
            untouched += 1;
            continue;
        }
        let added: Vec<f32> = found.chunks(2).map(|row| row[0] - 1.0).collect();
        assert!(found.chunks(2).all(|row| row[0] == row[1]), "the same for a row");
        // The volume and the place follow from one full round.
        let total: f32 = recording.iter().sum();
        let volume = added[..50].iter().sum::<f32>() / total;
        volumes.push(volume);
        let explained = (0..50)
            .any(|start| (0..60).all(|i| (added[i] - volume * recording[(start + i) % 50]).abs() < 1e-2));
        assert!(explained, "{added:?}");
    }
    // Binomial with 0.2: deviation 13.
    assert!((150..250).contains(&untouched), "{untouched}");
    assert!(volumes.iter().all(|&v| v <= 0.501));
    let mean = volumes.iter().sum::<f32>() / volumes.len() as f32;
    assert!((mean - 0.25).abs() < 0.03, "{mean}");
    assert!(Background::new("none", vec![vec![]]).is_none());
}

#[test]
fn gain_and_brightness_stay_in_their_bounds() {
    let from = vec![100.0f32; 4];
    let (mut gains, mut lights) = (Vec::new(), Vec::new());
    for seed in 0..500 {
        let found = applied(&Augment::Gain { share: 0.2 }, &from, [4, 1, 1], Element::F32, seed);
        assert!(found.iter().all(|x| *x == found[0] && (79.999..=120.001).contains(x)));
        gains.push(found[0]);
        let found = applied(&Augment::Brightness { share: 0.2 }, &from, [2, 2, 1], Element::U8, seed);
        assert!(found.iter().all(|x| *x == found[0] && (49.0..=151.0).contains(x)));
        lights.push(found[0]);
    }
    for (values, low, high) in [(gains, 82.0, 118.0), (lights, 54.0, 146.0)] {
        assert!(values.iter().any(|&x| x < low) && values.iter().any(|&x| x > high));
    }
}

#[test]
fn a_tilt_takes_from_high_frequencies_what_it_gives_to_low_ones() {
    let (low, high) = (vec![100.0f32; 6], vec![100.0, -100.0, 100.0, -100.0, 100.0, -100.0]);
    let mut factors = Vec::new();
    for seed in 0..200 {
        let tilted =
            |from: &[f32]| applied(&Augment::Tilt { share: 0.5 }, from, [6, 1, 1], Element::F32, seed);
        let (low, high) = (tilted(&low), tilted(&high));
        let factor = low[1] - 100.0;
        assert!(low[0] == 100.0 && low[1..].iter().all(|x| *x == low[1]), "{low:?}");
        assert!(high[1..].iter().all(|x| (x.abs() - (100.0 - factor)).abs() < 1e-3), "{high:?}");
        factors.push(factor);
    }
    assert!(factors.iter().all(|x| x.abs() <= 50.001) && factors.iter().any(|&x| x < -40.0));
    assert!(factors.iter().any(|&x| x > 40.0));
    // Rows have all their channels.
    let found = applied(&Augment::Tilt { share: 0.5 }, &[1.0, 0.0, 0.0, 0.0], [2, 1, 2], Element::F32, 3);
    assert!(found[2] != 0.0 && found[3] == 0.0, "{found:?}");
}

#[test]
fn flips_happen_to_half_of_the_samples() {
    let from = sample(12);
    let mut mirrored = from.clone();
    picture::mirror(&mut mirrored, [2, 3, 2]);
    let flips = (0..1000).filter(|&seed| {
        let found = applied(&Augment::Flip, &from, [2, 3, 2], Element::U8, seed);
        assert!(found == from || found == mirrored);
        found == mirrored
    });
    // Deviation 16.
    assert!((420..580).contains(&flips.count()));
}

#[test]
fn masks_reach_everywhere_and_every_length() {
    let from = vec![1.0; 10];
    let (mut lengths, mut places) = ([0; 5], [0; 10]);
    for seed in 0..5000 {
        let found = applied(&Augment::TimeMask { rows: 4 }, &from, [10, 1, 1], Element::F32, seed);
        let masked: Vec<bool> = found.iter().map(|&x| x == 0.0).collect();
        lengths[one_run(&masked)] += 1;
        masked.iter().zip(&mut places).for_each(|(&m, count)| *count += usize::from(m));
    }
    // Deviation 28.
    assert!(lengths.iter().all(|count| (880..1120).contains(count)), "{lengths:?}");
    assert!(places.iter().all(|&count| count > 400), "{places:?}");
}

#[test]
fn rotations_are_turns_about_their_axis() {
    let quarter = signal::rotation([0.0, 0.0, 1.0], 90.0);
    let mut vectors = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    signal::rotate(&mut vectors, 9, &quarter);
    let wanted = [0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    assert!(vectors.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{vectors:?}");

    // Directions have mean 0 and second moments 1/3, as those of a uniform sphere.
    let mut random = stream(1);
    let (mut first, mut second, mut largest) = ([0.0f64; 3], [0.0f64; 3], 0.0f64);
    for _ in 0..3000 {
        let axis = signal::axis(&mut random);
        for i in 0..3 {
            first[i] += f64::from(axis[i]) / 3000.0;
            second[i] += f64::from(axis[i]).powi(2) / 3000.0;
        }
        let degrees = 30.0 * unit(&mut random);
        let m = signal::rotation(axis, degrees);
        let cosine = f64::from(m[0][0] + m[1][1] + m[2][2] - 1.0) / 2.0;
        let angle = cosine.min(1.0).acos().to_degrees();
        assert!((angle - f64::from(degrees)).abs() < 0.1, "{angle} {degrees}");
        largest = largest.max(angle);
    }
    assert!(first.iter().all(|m| m.abs() < 0.05), "{first:?}");
    assert!(second.iter().all(|m| (m - 1.0 / 3.0).abs() < 0.03), "{second:?}");
    assert!((29.0..30.1).contains(&largest), "{largest}");
}

#[test]
fn room_is_taken_once() {
    let from = tone(300);
    let mut room = Vec::with_capacity(300);
    let place = room.as_ptr();
    for change in kinds(0.3, 5) {
        let mut values = from.clone();
        change.apply(&mut values, [100, 1, 3], Element::I16, &mut stream(1), &mut room);
        assert_eq!((room.as_ptr(), room.capacity()), (place, 300), "{change:?}");
    }
}

#[test]
fn canonical_texts_tell_changes_apart() {
    let mut texts: Vec<String> =
        kinds(0.25, 3).iter().chain(&kinds(0.5, 4)).map(Augment::canonical).collect();
    texts.push(Augment::Flip.canonical());
    let other = Background::new("hum", vec![vec![1.0, 2.0]]).unwrap();
    texts.push(Augment::Noise { share: 0.25, background: Some(other) }.canonical());
    let all = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), all, "{texts:?}");
    assert_eq!(Augment::Gain { share: 0.2 }.canonical(), "gain 1 0.2");
    assert_eq!(Augment::Tilt { share: 0.2 }.canonical(), "tilt 1 0.2");
    let halves = Background::new("x", vec![vec![1.0], vec![2.0]]).unwrap();
    let whole = Background::new("x", vec![vec![1.0, 2.0]]).unwrap();
    assert_ne!(halves.hash(), whole.hash());
}

/// Bits that every machine has to find; they change only with the definition, and the number in `canonical` with it.
#[test]
fn bits_are_those_of_every_machine() {
    let from = sample(96);
    let found: Vec<u64> = kinds(0.4, 7)
        .iter()
        .map(|change| {
            let values = applied(change, &from, [16, 2, 3], Element::F32, 11);
            let fold =
                |hash: u64, x: &f32| (hash ^ u64::from(x.to_bits())).wrapping_mul(0x0000_0100_0000_01b3);
            values.iter().fold(0xcbf2_9ce4_8422_2325, fold)
        })
        .collect();
    assert_eq!(found, BITS);
}

const BITS: [u64; 11] = [
    0xe359_3246_3915_5aa5,
    0xa645_942d_1977_1544,
    0x829c_7c21_c427_b2c9,
    0x608d_6d73_10a6_3e53,
    0xe5cc_4efd_1532_21c8,
    0xde70_b010_4b74_5aa5,
    0x638a_9274_def7_5aa5,
    0xe080_eb90_7875_1a1c,
    0x40ab_7fe8_f4e0_b43c,
    0x9495_bc3e_55e1_8a7b,
    0x2a15_d618_d2a4_dad6,
];
