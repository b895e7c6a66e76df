//! What sizes need of a linked image: sections and symbols of a 32-bit little-endian ELF file.
//!
//! Source  Tool Interface Standard, Executable and Linking Format, version 1.2.

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) size: u32,
}

/// A symbol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    pub(super) name: String,
    pub(super) size: u32,
    /// Index of its section.
    pub(super) section: usize,
    /// Whether it is an object, not a function.
    pub(super) is_object: bool,
    /// Whether other files see it.
    pub(super) is_global: bool,
}

/// Sections and symbols of an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub(super) sections: Vec<Section>,
    pub(super) symbols: Vec<Symbol>,
}

struct Header {
    name: u32,
    kind: u32,
    offset: usize,
    size: u32,
    link: usize,
}

impl Image {
    /// Reads an image; `None` if it is no such file.
    pub(super) fn parse(bytes: &[u8]) -> Option<Image> {
        if bytes.get(..6)? != b"\x7fELF\x01\x01" {
            return None;
        }
        let table = word(bytes, 32)? as usize;
        let entry = usize::from(half(bytes, 46)?);
        let count = usize::from(half(bytes, 48)?);
        let names = usize::from(half(bytes, 50)?);
        let headers: Option<Vec<Header>> =
            (0..count).map(|at| header(bytes, table.checked_add(at.checked_mul(entry)?)?)).collect();
        let headers = headers?;
        let names = headers.get(names)?;
        let mut image = Image::default();
        for header in &headers {
            image.sections.push(Section { name: string(bytes, names, header.name)?, size: header.size });
        }
        for header in headers.iter().filter(|header| header.kind == 2) {
            let names = headers.get(header.link)?;
            for at in 0..header.size as usize / 16 {
                image.symbols.push(symbol(bytes, header.offset.checked_add(at * 16)?, names)?);
            }
        }
        Some(image)
    }

    /// The size of a section; 0 if there is none of that name.
    pub(super) fn section_size(&self, name: &str) -> u64 {
        self.sections
            .iter()
            .filter(|section| section.name == name)
            .map(|section| u64::from(section.size))
            .sum()
    }

    /// The size of an object.
    pub(super) fn object_size(&self, name: &str) -> Option<u64> {
        self.symbols.iter().find(|s| s.is_object && s.name == name).map(|s| u64::from(s.size))
    }

    /// The bytes of all external objects in a section.
    pub(super) fn external_objects(&self, section: &str) -> u64 {
        let inside = |symbol: &&Symbol| self.sections.get(symbol.section).is_some_and(|s| s.name == section);
        let external = self.symbols.iter().filter(|symbol| symbol.is_object && symbol.is_global);
        external.filter(inside).map(|symbol| u64::from(symbol.size)).sum()
    }
}

fn header(bytes: &[u8], at: usize) -> Option<Header> {
    let field = |index: usize| word(bytes, at.checked_add(4 * index)?);
    Some(Header {
        name: field(0)?,
        kind: field(1)?,
        offset: field(4)? as usize,
        size: field(5)?,
        link: field(6)? as usize,
    })
}

fn symbol(bytes: &[u8], at: usize, names: &Header) -> Option<Symbol> {
    let info = *bytes.get(at.checked_add(12)?)?;
    Some(Symbol {
        name: string(bytes, names, word(bytes, at)?)?,
        size: word(bytes, at.checked_add(8)?)?,
        section: usize::from(half(bytes, at.checked_add(14)?)?),
        is_object: info & 15 == 1,
        is_global: info >> 4 == 1,
    })
}

fn string(bytes: &[u8], table: &Header, at: u32) -> Option<String> {
    let end = table.offset.checked_add(table.size as usize)?;
    let text = bytes.get(table.offset.checked_add(at as usize)?..end)?;
    let len = text.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&text[..len]).into_owned())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().expect("four bytes")))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(two.try_into().expect("two bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_images_are_refused() {
        assert!(Image::parse(b"").is_none());
        assert!(Image::parse(b"\x7fELF\x02\x01").is_none());
        let mut bytes = vec![0xff; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
        assert!(Image::parse(&bytes).is_none());
    }
}
