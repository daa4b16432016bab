//! Leaves out of a component what no host reads: the names of its parts, who made it.

/// Magic number, version and layer.
const HEADER: usize = 8;
/// A binary with this layer is a component, and one with layer 0 a core module.
const COMPONENT: u8 = 1;
/// Sections that carry nothing that runs.
const CUSTOM: u8 = 0;
/// Sections of a component that are binaries themselves: core modules and components.
const NESTED: [u8; 2] = [1, 4];

/// The same binary without custom sections, at every depth; `None` where it is no WebAssembly.
pub(super) fn without_custom_sections(binary: &[u8]) -> Option<Vec<u8>> {
    let (header, mut rest) = binary.split_at_checked(HEADER)?;
    let is_component = *header.get(6)? == COMPONENT;
    let mut stripped = header.to_vec();
    while let Some((&id, behind)) = rest.split_first() {
        let (size, behind) = read_size(behind)?;
        let (body, behind) = behind.split_at_checked(size)?;
        rest = behind;
        match id {
            CUSTOM => {}
            id if is_component && NESTED.contains(&id) => {
                write_section(&mut stripped, id, &without_custom_sections(body)?);
            }
            id => write_section(&mut stripped, id, body),
        }
    }
    Some(stripped)
}

fn write_section(to: &mut Vec<u8>, id: u8, body: &[u8]) {
    to.push(id);
    write_size(to, body.len());
    to.extend_from_slice(body);
}

/// An unsigned LEB128 number of 32 bits, and what stands behind it.
fn read_size(mut from: &[u8]) -> Option<(usize, &[u8])> {
    let mut size = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, behind) = from.split_first()?;
        from = behind;
        size |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((size, from));
        }
    }
    None
}

fn write_size(to: &mut Vec<u8>, mut size: usize) {
    loop {
        let low = (size & 0x7f) as u8;
        size >>= 7;
        if size == 0 {
            to.push(low);
            return;
        }
        to.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_the_same_component_without_names() {
        let text = r#"(component $named
            (core module $inner (func $deep (export "f")) (@custom "notes" "for people"))
            (core instance $made (instantiate $inner))
            (@custom "notes" "for people"))"#;
        let component = wat::parse_str(text).unwrap();
        let stripped = without_custom_sections(&component).unwrap();
        wasmparser::validate(&stripped).unwrap();
        assert!(stripped.len() < component.len());
        for gone in [&b"notes"[..], b"named", b"deep"] {
            let has = |bytes: &[u8]| bytes.windows(gone.len()).any(|part| part == gone);
            assert!(has(&component) && !has(&stripped), "{gone:?}");
        }
        let again = without_custom_sections(&stripped).unwrap();
        assert_eq!(again, stripped);
    }

    #[test]
    fn what_is_cut_off_is_no_webassembly() {
        let component = wat::parse_str("(component (core module (func)))").unwrap();
        assert!(without_custom_sections(b"text").is_none());
        for length in 9..component.len() {
            // Cut between two sections, it is whole.
            let cut = component.get(..length).unwrap();
            if let Some(stripped) = without_custom_sections(cut) {
                assert!(stripped.len() <= length);
            }
        }
    }
}
