//! Long arrays of numbers as bytes: as few bytes a number as all of them need, written and read in one go.

/// Moments and amounts are often whole multiples of one of these.
const UNITS: [u64; 4] = [86_400_000_000, 1_000_000, 1_000, 1];
/// What stands before the numbers: how many, the least of them, the unit, bytes a number.
const HEAD: usize = 8 + 8 + 8 + 1;
/// With this many bytes a number: eight, and none is missing.
const WHOLE: usize = 9;

/// Puts numbers, of which some may be missing, behind bytes. No: some are, and the others lie too far apart.
pub(crate) fn put(bytes: &mut Vec<u8>, numbers: impl ExactSizeIterator<Item = Option<i64>> + Clone) -> bool {
    let bounds = numbers.clone().flatten().fold(None, |bounds, n| match bounds {
        None => Some((n, n)),
        Some((least, most)) => Some((n.min(least), n.max(most))),
    });
    let (least, most) = bounds.unwrap_or((0, 0));
    let above = |n: i64| n.wrapping_sub(least) as u64;
    let whole = |unit: &&u64| numbers.clone().flatten().all(|n| above(n) % **unit == 0);
    let unit = UNITS.iter().find(whole).copied().unwrap_or(1);
    // 0 is a missing one.
    let width = match (above(most) / unit).checked_add(1) {
        Some(largest) => [1, 2, 4].into_iter().find(|width| largest >> (8 * width) == 0).unwrap_or(8_usize),
        None if numbers.clone().all(|n| n.is_some()) => WHOLE,
        None => return false,
    };
    bytes.extend_from_slice(&(numbers.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&least.to_le_bytes());
    bytes.extend_from_slice(&unit.to_le_bytes());
    bytes.push(width as u8);
    bytes.reserve(numbers.len() * width.min(8));
    if width == WHOLE {
        numbers.flatten().for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
        return true;
    }
    let coded = numbers.map(|n| n.map_or(0, |n| above(n) / unit + 1));
    match width {
        1 => bytes.extend(coded.map(|code| code as u8)),
        2 => coded.for_each(|code| bytes.extend_from_slice(&(code as u16).to_le_bytes())),
        4 => coded.for_each(|code| bytes.extend_from_slice(&(code as u32).to_le_bytes())),
        _ => coded.for_each(|code| bytes.extend_from_slice(&code.to_le_bytes())),
    }
    true
}

/// Takes what [`put`] has written from the front of bytes; `read` makes of each number what is wanted. None: it is cut off.
pub(crate) fn take<T>(bytes: &mut &[u8], read: impl Fn(Option<i64>) -> T) -> Option<Vec<T>> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let count = usize::try_from(u64::from_le_bytes(head[..8].try_into().ok()?)).ok()?;
    let least = i64::from_le_bytes(head[8..16].try_into().ok()?);
    let unit = u64::from_le_bytes(head[16..24].try_into().ok()?);
    let width = usize::from(head[24]);
    let (coded, rest) = rest.split_at_checked(count.checked_mul(width.min(8))?)?;
    *bytes = rest;
    let number = |code: u64| read(code.checked_sub(1).map(|above| least.wrapping_add(above.wrapping_mul(unit) as i64)));
    Some(match width {
        1 => coded.iter().map(|&code| number(u64::from(code))).collect(),
        2 => coded.as_chunks().0.iter().map(|code| number(u64::from(u16::from_le_bytes(*code)))).collect(),
        4 => coded.as_chunks().0.iter().map(|code| number(u64::from(u32::from_le_bytes(*code)))).collect(),
        8 => coded.as_chunks().0.iter().map(|code| number(u64::from_le_bytes(*code))).collect(),
        WHOLE => coded.as_chunks().0.iter().map(|n| read(Some(i64::from_le_bytes(*n)))).collect(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test should stop where it fails.
    use super::*;

    #[test]
    fn numbers_come_back_and_bytes_that_are_cut_off_are_none() {
        const DAY: i64 = 86_400_000_000;
        let lists: [(Vec<Option<i64>>, usize); 9] = [
            (vec![], 1),
            (vec![None, None], 1),
            (vec![Some(7)], 1),
            (vec![Some(-3), None, Some(250)], 1),
            (vec![Some(0), Some(255)], 2),
            (vec![Some(20_000 * DAY), None, Some(20_365 * DAY)], 2),
            (vec![Some(1_700_000_000_000_000), Some(1_700_300_000_000_000), None], 4),
            (vec![Some(1_700_000_000_000_001), Some(1_790_000_300_000_000)], 8),
            (vec![Some(i64::MIN), Some(i64::MAX - 1)], 8),
        ];
        for (list, width) in lists {
            let mut bytes = b"before".to_vec();
            assert!(put(&mut bytes, list.iter().copied()), "{list:?}");
            assert_eq!(bytes.len(), 6 + HEAD + width * list.len(), "{list:?}");
            bytes.extend(b"behind");
            let mut rest = &bytes[6..];
            assert_eq!(take(&mut rest, |n| n), Some(list.clone()));
            assert_eq!(rest, b"behind");
            for length in 6..bytes.len() - 6 {
                assert_eq!(take(&mut &bytes[6..length], |n| n), None, "{list:?} cut to {length}");
            }
        }
        let (mut bytes, far) = (Vec::new(), [i64::MIN, i64::MAX]);
        assert!(!put(&mut bytes, [None, Some(far[0]), Some(far[1])].into_iter()) && bytes.is_empty());
        assert!(put(&mut bytes, far.iter().copied().map(Some)));
        assert_eq!(take(&mut &bytes[..], Option::unwrap_or_default), Some(far.to_vec()));
    }
}
