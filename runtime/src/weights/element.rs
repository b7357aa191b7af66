//! Element types of foreign files, read as `f32`.

use safetensors::tensor::Dtype;

/// Element type of a stored tensor; all are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A truth value, one byte.
    Bool,
    /// 8-bit integer without sign.
    U8,
    /// 8-bit integer.
    I8,
    /// 16-bit integer without sign.
    U16,
    /// 16-bit integer.
    I16,
    /// 32-bit integer without sign.
    U32,
    /// 32-bit integer.
    I32,
    /// 64-bit integer without sign.
    U64,
    /// 64-bit integer.
    I64,
    /// IEEE half.
    F16,
    /// The upper half of an `f32`.
    BF16,
    /// IEEE single.
    F32,
    /// IEEE double.
    F64,
}

impl Element {
    /// Units: bytes.
    pub fn size(self) -> u64 {
        match self {
            Element::Bool | Element::U8 | Element::I8 => 1,
            Element::U16 | Element::I16 | Element::F16 | Element::BF16 => 2,
            Element::U32 | Element::I32 | Element::F32 => 4,
            Element::U64 | Element::I64 | Element::F64 => 8,
        }
    }

    /// The element type of a safetensors file, if it is one of these.
    pub fn of_safetensors(dtype: Dtype) -> Option<Element> {
        Some(match dtype {
            Dtype::BOOL => Element::Bool,
            Dtype::U8 => Element::U8,
            Dtype::I8 => Element::I8,
            Dtype::U16 => Element::U16,
            Dtype::I16 => Element::I16,
            Dtype::U32 => Element::U32,
            Dtype::I32 => Element::I32,
            Dtype::U64 => Element::U64,
            Dtype::I64 => Element::I64,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::BF16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            _ => return None,
        })
    }

    /// The element type of a PyTorch storage class, such as `FloatStorage`.
    pub fn of_storage(class: &str) -> Option<Element> {
        Some(match class {
            "FloatStorage" => Element::F32,
            "HalfStorage" => Element::F16,
            "BFloat16Storage" => Element::BF16,
            "DoubleStorage" => Element::F64,
            "LongStorage" => Element::I64,
            "IntStorage" => Element::I32,
            "ShortStorage" => Element::I16,
            "CharStorage" => Element::I8,
            "ByteStorage" => Element::U8,
            "BoolStorage" => Element::Bool,
            _ => return None,
        })
    }

    /// The element type of a NumPy `descr`, such as `<f4`.
    pub fn of_numpy(descr: &str) -> Option<Element> {
        Some(match descr {
            "|b1" => Element::Bool,
            "|u1" => Element::U8,
            "|i1" => Element::I8,
            "<u2" => Element::U16,
            "<i2" => Element::I16,
            "<u4" => Element::U32,
            "<i4" => Element::I32,
            "<u8" => Element::U64,
            "<i8" => Element::I64,
            "<f2" => Element::F16,
            "<f4" => Element::F32,
            "<f8" => Element::F64,
            _ => return None,
        })
    }

    /// Appends the values of whole elements, rounded to the nearest `f32`.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        macro_rules! numbers {
            ($ty:ty) => {{
                let (elements, _) = bytes.as_chunks::<{ size_of::<$ty>() }>();
                out.extend(elements.iter().map(|b| <$ty>::from_le_bytes(*b) as f32));
            }};
        }
        match self {
            Element::Bool => out.extend(bytes.iter().map(|b| f32::from(u8::from(*b != 0)))),
            Element::U8 => numbers!(u8),
            Element::I8 => numbers!(i8),
            Element::U16 => numbers!(u16),
            Element::I16 => numbers!(i16),
            Element::U32 => numbers!(u32),
            Element::I32 => numbers!(i32),
            Element::U64 => numbers!(u64),
            Element::I64 => numbers!(i64),
            Element::F32 => numbers!(f32),
            Element::F64 => numbers!(f64),
            Element::F16 | Element::BF16 => {
                let widen = match self {
                    Element::F16 => from_half,
                    _ => |bits| f32::from_bits(u32::from(bits) << 16),
                };
                let (elements, _) = bytes.as_chunks::<2>();
                out.extend(elements.iter().map(|b| widen(u16::from_le_bytes(*b))));
            }
        }
    }
}

/// The value of an IEEE half. Every half is an `f32`.
fn from_half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => sign * f32::INFINITY,
        0x1f => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3c00, 1.0),
            (0x3555, 0.333_251_95),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(from_half(bits), value, "{bits:#x}");
        }
        assert!(from_half(0x7e00).is_nan());
        assert!(from_half(0x8000).is_sign_negative());
    }

    #[test]
    fn elements_become_floats() {
        let decoded = |element: Element, bytes: &[u8]| {
            let mut out = Vec::new();
            element.decode(bytes, &mut out);
            out
        };
        assert_eq!(
            decoded(Element::BF16, &[0x80, 0x3f, 0x20, 0xc0]),
            [1.0, -2.5]
        );
        assert_eq!(decoded(Element::I64, &(-7i64).to_le_bytes()), [-7.0]);
        assert_eq!(decoded(Element::F64, &0.1f64.to_le_bytes()), [0.1f32]);
        assert_eq!(decoded(Element::U16, &[1, 2]), [513.0]);
        assert_eq!(decoded(Element::Bool, &[0, 2]), [0.0, 1.0]);
        assert_eq!(decoded(Element::I8, &[255]), [-1.0]);
    }
}
