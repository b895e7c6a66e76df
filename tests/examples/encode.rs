//! The file formats of the examples' data, written as their definitions say.

use std::io::Write as _;

/// A WAV file of 16 bit, one channel.
pub(crate) fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    let n_bytes = u32::try_from(2 * samples.len()).unwrap();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + n_bytes).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16u32.to_le_bytes());
    // PCM, one channel.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(rate.to_le_bytes());
    bytes.extend((2 * rate).to_le_bytes());
    // Bytes of a moment, bits of a sample.
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(n_bytes.to_le_bytes());
    samples.iter().for_each(|sample| bytes.extend(sample.to_le_bytes()));
    bytes
}

/// An IDX file of unsigned bytes.
pub(crate) fn idx(extents: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(extents.len()).unwrap()];
    extents.iter().for_each(|&extent| bytes.extend(u32::try_from(extent).unwrap().to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// A `.npy` file of version 1; `descr` and `shape` as Python writes them.
pub(crate) fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version, length, header and end of line fill up a multiple of 64 bytes.
    let padding = 63 - (10 + header.len()) % 64;
    let header = header + &" ".repeat(padding) + "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers);
    bytes
}

/// Packed by gzip.
pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar archive of these files, packed by gzip.
pub(crate) fn tar_gz<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content).unwrap();
    }
    gz(&builder.into_inner().unwrap())
}
