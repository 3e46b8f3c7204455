//! States as bytes: what an aggregate or a model is saved as, least significant byte first.

use std::collections::BTreeMap;

/// Something that is saved as bytes and read again.
pub trait State: Sized {
    /// Appends its bytes.
    fn save(&self, bytes: &mut Vec<u8>);

    /// Takes its bytes from the front; none: they are not what `save` writes.
    fn load(bytes: &mut &[u8]) -> Option<Self>;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl State for $type {
            fn save(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn load(bytes: &mut &[u8]) -> Option<$type> {
                let (first, rest) = bytes.split_first_chunk()?;
                *bytes = rest;
                Some(<$type>::from_le_bytes(*first))
            }
        }
    )*};
}

numbers!(f64, f32, i64, i32, u64, u32, u8);

impl State for bool {
    fn save(&self, bytes: &mut Vec<u8>) {
        u8::from(*self).save(bytes);
    }

    fn load(bytes: &mut &[u8]) -> Option<bool> {
        match u8::load(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl State for usize {
    fn save(&self, bytes: &mut Vec<u8>) {
        (*self as u64).save(bytes);
    }

    fn load(bytes: &mut &[u8]) -> Option<usize> {
        usize::try_from(u64::load(bytes)?).ok()
    }
}

impl State for String {
    fn save(&self, bytes: &mut Vec<u8>) {
        (self.len() as u32).save(bytes);
        bytes.extend_from_slice(self.as_bytes());
    }

    fn load(bytes: &mut &[u8]) -> Option<String> {
        let length = u32::load(bytes)? as usize;
        let (text, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

impl<T: State> State for Option<T> {
    fn save(&self, bytes: &mut Vec<u8>) {
        self.is_some().save(bytes);
        if let Some(value) = self {
            value.save(bytes);
        }
    }

    fn load(bytes: &mut &[u8]) -> Option<Option<T>> {
        if bool::load(bytes)? { T::load(bytes).map(Some) } else { Some(None) }
    }
}

impl<T: State> State for Vec<T> {
    fn save(&self, bytes: &mut Vec<u8>) {
        (self.len() as u32).save(bytes);
        self.iter().for_each(|value| value.save(bytes));
    }

    fn load(bytes: &mut &[u8]) -> Option<Vec<T>> {
        let length = u32::load(bytes)?;
        // Not reserved: a damaged length must not ask for all memory.
        let mut values = Vec::new();
        for _ in 0..length {
            values.push(T::load(bytes)?);
        }
        Some(values)
    }
}

impl<K: State + Ord, V: State> State for BTreeMap<K, V> {
    fn save(&self, bytes: &mut Vec<u8>) {
        (self.len() as u32).save(bytes);
        for (key, value) in self {
            key.save(bytes);
            value.save(bytes);
        }
    }

    fn load(bytes: &mut &[u8]) -> Option<BTreeMap<K, V>> {
        let length = u32::load(bytes)?;
        let mut map = BTreeMap::new();
        for _ in 0..length {
            map.insert(K::load(bytes)?, V::load(bytes)?);
        }
        Some(map)
    }
}

impl<A: State, B: State> State for (A, B) {
    fn save(&self, bytes: &mut Vec<u8>) {
        self.0.save(bytes);
        self.1.save(bytes);
    }

    fn load(bytes: &mut &[u8]) -> Option<(A, B)> {
        Some((A::load(bytes)?, B::load(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_is_read_again_and_damage_is_seen() {
        let value = (vec![1.5, -2.0], (Some("ä".to_string()), BTreeMap::from([(7_u32, true)])));
        let mut bytes = Vec::new();
        value.save(&mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(State::load(&mut rest), Some(value.clone()));
        assert!(rest.is_empty());
        for length in 0..bytes.len() {
            type Read = (Vec<f64>, (Option<String>, BTreeMap<u32, bool>));
            let read: Option<Read> = State::load(&mut &bytes[..length]);
            assert_eq!(read, None);
        }
    }
}
