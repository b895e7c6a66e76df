use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use proptest::prelude::*;

use super::*;
use crate::data::testing::{classes, count, folder, gz, mutated, read, refused, rows, tar};

fn spec() -> ImageFolder {
    ImageFolder { path: "set".to_owned(), channels: 3, ..ImageFolder::default() }
}

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).expect("memory takes it");
    bytes.into_inner()
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    file(image, ImageFormat::Png)
}

/// 3 x 2 pixels.
fn colours() -> RgbImage {
    RgbImage::from_fn(3, 2, |x, y| Rgb([(10 * x) as u8, (100 * y) as u8, 7]))
}

#[test]
fn folders_are_classes() {
    let grey = GrayImage::from_raw(3, 2, vec![0, 1, 2, 3, 4, 255]).unwrap();
    let files: &[(&str, &[u8])] = &[
        ("set/dog/a.png", &png(colours())),
        ("set/cat/deep/b.PNG", &png(grey.clone())),
        ("set/cat/notes.txt", b"no picture"),
        ("set/readme.md", b"no picture"),
    ];
    let found = read(&spec(), files).unwrap();
    assert_eq!((found.extents, found.classes.clone()), ([2, 3, 3], vec!["cat".into(), "dog".into()]));
    assert_eq!(classes(&found), ["cat", "dog"]);
    assert_eq!(found.files, ["set/cat/deep/b.PNG", "set/dog/a.png"]);
    assert_eq!(rows(&found)[0][..6], [0., 0., 0., 1., 1., 1.]);
    assert_eq!(rows(&found)[1], colours().into_raw().into_iter().map(f32::from).collect::<Vec<_>>());
    let dim = ImageFolder { channels: 1, classes: Some(vec!["dog".into(), "cat".into()]), ..spec() };
    let found = read(&dim, files).unwrap();
    assert_eq!((rows(&found)[0].clone(), found.classes[0].as_str()), (vec![0., 1., 2., 3., 4., 255.], "dog"));
    // (77 * 20 + 150 * 100 + 29 * 7 + 128) >> 8
    assert_eq!(rows(&found)[1][5], 65.);
    let grouped = ImageFolder { group: ImageGroup::File, ..spec() };
    assert_eq!(read(&grouped, files).unwrap().groups, ["set/cat/deep/b.PNG", "set/dog/a.png"]);
}

#[test]
fn parts_are_found_beside_one_another_and_inside_archives() {
    let picture = png(colours());
    let of = |names: &[&str]| -> Vec<(String, Vec<u8>)> {
        names.iter().map(|name| ((*name).to_owned(), picture.clone())).collect()
    };
    let parts = |files: &[(String, Vec<u8>)], packed: bool| {
        let files: Vec<(&str, &[u8])> =
            files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
        let archive = gz(&tar(&files));
        let found = match packed {
            true => read(&spec(), &[("set.tar.gz", &archive)]).unwrap(),
            false => {
                let below: Vec<String> = files.iter().map(|(name, _)| format!("set/{name}")).collect();
                let files: Vec<(&str, &[u8])> =
                    below.iter().zip(&files).map(|(name, (_, bytes))| (name.as_str(), *bytes)).collect();
                read(&spec(), &files).unwrap()
            }
        };
        assert_eq!(found.classes.len(), 2);
        [None, Some(Part::Train), Some(Part::Val), Some(Part::Test)].map(|part| count(&found, part))
    };
    for packed in [false, true] {
        let all = of(&["train/a/1.png", "train/b/2.png", "val/a/3.png", "test/a/4.png", "test/b/5.png"]);
        assert_eq!(parts(&all, packed), [0, 2, 1, 2]);
        let two = of(&["train/a/1.png", "train/b/2.png", "valid/a/3.png"]);
        assert_eq!(parts(&two, packed), [0, 2, 0, 1]);
        let none = of(&["a/1.png", "b/2.png", "b/train/2.png"]);
        assert_eq!(parts(&none, packed), [3, 0, 0, 0]);
    }
    let named = ImageFolder { train: Some("x".into()), test: Some("y".into()), ..spec() };
    let files: &[(&str, &[u8])] =
        &[("set/x/a/1.png", &picture), ("set/y.tar", &tar(&[("a/1.png", &picture)]))];
    let found = read(&named, files).unwrap();
    assert_eq!((count(&found, Some(Part::Train)), count(&found, Some(Part::Test))), (1, 1));
    assert_eq!(named.inputs(folder(files).path()).unwrap(), ["set/x/a/1.png", "set/y.tar"]);
}

#[test]
fn every_kind_of_pixel_becomes_bytes() {
    let one = |image: DynamicImage| rows(&read(&spec(), &[("set/a/1.png", &png(image))]).unwrap())[0].clone();
    let seen = RgbaImage::from_raw(2, 1, vec![200, 100, 51, 128, 9, 8, 7, 0]).unwrap();
    // (x * 128 + 127) / 255
    assert_eq!(one(seen.into()), [100., 50., 26., 0., 0., 0.]);
    let deep = image::ImageBuffer::<Rgb<u16>, _>::from_raw(1, 1, vec![65_535, 128, 129]).unwrap();
    assert_eq!(one(deep.into()), [255., 0., 1.]);
    let veiled = image::GrayAlphaImage::from_raw(1, 1, vec![200, 255]).unwrap();
    assert_eq!(one(veiled.into()), [200.; 3]);
    let flat = RgbImage::from_pixel(16, 16, Rgb([120, 120, 120]));
    let found = read(&spec(), &[("set/a/1.jpg", &file(flat, ImageFormat::Jpeg))]).unwrap();
    assert!(rows(&found)[0].iter().all(|x| (x - 120.).abs() <= 1.), "{:?}", rows(&found)[0]);
}

#[test]
fn pictures_are_brought_to_one_size() {
    let of = |width: u32, pixels: &[u8], size: (usize, usize)| {
        let image = GrayImage::from_raw(width, pixels.len() as u32 / width, pixels.to_vec()).unwrap();
        let spec = ImageFolder { size: Some(size), channels: 1, ..spec() };
        let found = read(&spec, &[("set/a/1.png", &png(image))]).unwrap();
        assert_eq!(found.extents, [size.0, size.1, 1]);
        rows(&found)[0].clone()
    };
    assert_eq!(of(4, &[0, 2, 10, 21, 4, 6, 30, 41], (1, 2)), [3., 26.]);
    // Thirds: (2 * 0 + 30) / 3 and (30 + 2 * 60) / 3.
    assert_eq!(of(3, &[0, 30, 60], (1, 2)), [10., 50.]);
    // Centres at -1/4, 1/4, 3/4, 5/4 of the pixels before.
    assert_eq!(of(2, &[0, 100], (1, 4)), [0., 25., 75., 100.]);
    assert_eq!(of(1, &[9], (2, 3)), [9.; 6]);
    assert_eq!(of(2, &[0, 100, 50, 150], (1, 4)), [25., 50., 100., 125.]);
    assert_eq!(of(2, &[1, 2, 3, 4], (2, 2)), [1., 2., 3., 4.]);
}

#[test]
fn bad_pictures_are_named() {
    let good = png(colours());
    let bad = |bytes: &[u8], code, parts: &[&str]| refused(&spec(), &[("set/a/1.png", bytes)], code, parts);
    bad(&good[..good.len() - 20], Code::DATA_FORMAT, &["`set/a/1.png`"]);
    bad(b"", Code::DATA_FORMAT, &["`set/a/1.png`"]);
    bad(b"GIF89a nothing else", Code::DATA_FORMAT, &["`set/a/1.png`", "PNG or JPEG"]);
    let jpeg = file(RgbImage::new(64, 64), ImageFormat::Jpeg);
    bad(&jpeg[..40], Code::DATA_FORMAT, &["`set/a/1.png`"]);
    let wide = png(GrayImage::new(4097, 1));
    bad(&wide, Code::DATA_LIMIT, &["`set/a/1.png`", "4096"]);
    let mut absurd = good.clone();
    absurd[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
    let error = read(&spec(), &[("set/a/1.png", &absurd)]).unwrap_err();
    assert!(error.message.contains("`set/a/1.png`"), "{}", error.message);
    let archive = tar(&[("a/1.png", b"no picture")]);
    refused(&spec(), &[("set.tar", &archive)], Code::DATA_FORMAT, &["`a/1.png` in `set.tar`"]);
    refused(&spec(), &[("set/1.png", &good)], Code::DATA_LABEL, &["`set/1.png`", "sample without label"]);
    refused(&spec(), &[("set/a/1.txt", &good)], Code::DATA_MISSING, &["`set` has no pictures"]);
    refused(&spec(), &[], Code::DATA_MISSING, &["`set`"]);
    let others: &[(&str, &[u8])] = &[("set/a/1.png", &good), ("set/a/2.BMP", b"BM")];
    refused(&spec(), others, Code::DATA_FORMAT, &["`set/a/2.BMP` is no PNG or JPEG", "convert"]);
    let empty: &[(&str, &[u8])] = &[("set/a/1.png", &good), ("set/b/notes.txt", b"none")];
    refused(&spec(), empty, Code::DATA_LABEL, &["the class `b` is empty", "classes: [...]"]);
    let chosen = |names: &[&str]| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        ImageFolder { classes: Some(names), ..spec() }
    };
    assert_eq!(read(&chosen(&["a"]), empty).unwrap().labels, [0], "other folders are left out");
    refused(&chosen(&["a", "b"]), empty, Code::DATA_LABEL, &["the class `b` is empty", "`a`"]);
    let files: &[(&str, &[u8])] = &[("set/a/1.png", &good), ("set/a/2.png", &png(GrayImage::new(3, 3)))];
    refused(&spec(), files, Code::DATA_SHAPE, &["`set/a/2.png`", "`size`"]);
    for (height, width) in [(0, 1), (1, 5000), (usize::MAX, usize::MAX)] {
        let sized = ImageFolder { size: Some((height, width)), ..spec() };
        refused(&sized, files, Code::DATA_LIMIT, &["size"]);
    }
    refused(&ImageFolder { channels: 2, ..spec() }, files, Code::DATA_SHAPE, &["2 channels"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_picture_makes_the_reader_panic(
        changes in prop::collection::vec((0usize..2000, any::<u8>()), 1..8),
        cut in 0usize..60,
    ) {
        let sized = ImageFolder { size: Some((5, 2)), ..spec() };
        let image = RgbImage::from_fn(20, 20, |x, y| Rgb([(x * y) as u8, x as u8, y as u8]));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let bytes = mutated(file(image.clone(), format), &changes, cut);
            let _ = read(&sized, &[("set/a/1.png", &bytes)]);
        }
    }

    /// Against the same averages in floats.
    #[test]
    fn sizes_agree_with_floats(
        pixels in prop::collection::vec(any::<u8>(), 64),
        height in 1usize..8, width in 1usize..8, to_height in 1usize..12, to_width in 1usize..12,
    ) {
        let at = |y: usize, x: usize| f64::from(pixels[y * width + x]);
        let image = GrayImage::from_raw(width as u32, height as u32, pixels[..height * width].to_vec()).unwrap();
        let spec = ImageFolder { size: Some((to_height, to_width)), channels: 1, ..spec() };
        let found = rows(&read(&spec, &[("set/a/1.png", &png(image))]).unwrap())[0].clone();
        let share = |before: usize, after: usize, pixel: usize, source: usize| -> f64 {
            let ratio = before as f64 / after as f64;
            if after <= before {
                let (start, end) = (pixel as f64 * ratio, (pixel + 1) as f64 * ratio);
                return (end.min((source + 1) as f64) - start.max(source as f64)).max(0.0) / ratio;
            }
            let place = ((pixel as f64 + 0.5) * ratio - 0.5).clamp(0.0, (before - 1) as f64);
            (1.0 - (place - source as f64).abs()).max(0.0)
        };
        for y in 0..to_height {
            for x in 0..to_width {
                let mut expected = 0.0;
                for from_y in 0..height {
                    for from_x in 0..width {
                        expected += share(height, to_height, y, from_y) * share(width, to_width, x, from_x) * at(from_y, from_x);
                    }
                }
                let value = f64::from(found[y * to_width + x]);
                prop_assert!((value - expected).abs() < 0.5 + 1e-6, "{value} for {expected} at {y}, {x}");
            }
        }
    }
}
