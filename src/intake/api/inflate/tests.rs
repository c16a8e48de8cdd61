use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::zstd_safe::{CCtx, CParameter};

use super::*;

const BOTH: [Encoding; 2] = [Encoding::Gzip, Encoding::Zstd];

fn pack(encoding: Encoding, plain: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => zstd::bulk::compress(plain, 19).unwrap(),
    }
}

fn inflate(encoding: Encoding, packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new(encoding, bytes_max)?;
    for piece in packed.chunks(7) {
        inflater.push(piece)?;
    }
    inflater.finish()
}

#[test]
fn what_was_packed_comes_back_up_to_the_limit() {
    let plain: Vec<u8> = (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for encoding in BOTH {
        let packed = pack(encoding, &plain);
        assert_eq!(inflate(encoding, &packed, plain.len()).unwrap(), plain);
        assert_eq!(inflate(encoding, &packed, plain.len() - 1), Err(InflateError::TooLarge));
    }
}

#[test]
fn a_bomb_is_given_up_early_and_holds_little() {
    for encoding in BOTH {
        let bomb = pack(encoding, &vec![b' '; 64 << 20]);
        let mut inflater = Inflater::new(encoding, 16 << 20).unwrap();
        let mut held_max = 0;
        let mut given_up = None;
        for piece in bomb.chunks(STEP_BYTES) {
            given_up = inflater.push(piece).err();
            held_max = held_max.max(inflater.held_bytes());
            if given_up.is_some() {
                break;
            }
        }
        assert!(matches!(given_up, Some(InflateError::Ratio | InflateError::TooLarge)), "{given_up:?}");
        println!("{encoding:?}: a bomb of {} bytes held {held_max} at most", bomb.len());
        assert!(held_max < (16 << 20) + (9 << 20), "{encoding:?} held {held_max}");
    }
}

#[test]
fn the_ratio_is_judged_at_the_limit_and_one_beyond() {
    let after = |taken| Inflater { taken, ..Inflater::new(Encoding::Gzip, 1).unwrap() };
    let inflated = RATIO_FROM_BYTES + RATIO_MAX - RATIO_FROM_BYTES % RATIO_MAX;
    assert_eq!(after(inflated / RATIO_MAX).check_ratio(inflated), Ok(()));
    assert_eq!(after(inflated / RATIO_MAX - 1).check_ratio(inflated), Err(InflateError::Ratio));
    assert_eq!(after(1).check_ratio(RATIO_FROM_BYTES), Ok(()), "too little to judge by");
}

#[test]
fn what_is_cut_off_or_not_what_it_says_is_refused() {
    for encoding in BOTH {
        let packed = pack(encoding, b"{}");
        assert_eq!(inflate(encoding, &packed[..packed.len() - 3], 100), Err(InflateError::Damaged));
        assert_eq!(inflate(encoding, b"{\"a\":1}, not compressed at all", 100), Err(InflateError::Damaged));
        assert_eq!(inflate(encoding, b"", 100), Err(InflateError::Damaged));
    }
    let gzip = pack(Encoding::Gzip, b"{}");
    assert_eq!(inflate(Encoding::Zstd, &gzip, 100), Err(InflateError::Damaged), "one for the other");
}

#[test]
fn every_changed_byte_of_zstd_with_a_checksum_is_noticed_or_harmless() {
    let plain = br#"{"transaction_id":"a","amount":1}"#.repeat(20);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&plain).unwrap();
    let packed = encoder.finish().unwrap();
    for at in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        if let Ok(inflated) = inflate(Encoding::Zstd, &damaged, 1 << 20) {
            assert_eq!(inflated, plain, "byte {at}");
        }
    }
}

/// A frame of random bytes with a window of this many bits.
fn with_window(log: u32) -> Vec<u8> {
    let mut random = 1_u64;
    let plain: Vec<u8> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    })
    .take(1000)
    .collect();
    let mut context = CCtx::create();
    context.set_parameter(CParameter::WindowLog(log)).unwrap();
    // Without the size of the content, the frame says its window.
    context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    let mut encoder = zstd::stream::write::Encoder::with_context(Vec::new(), &mut context);
    encoder.write_all(&plain).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_window_of_8_mib_is_granted_and_twice_that_is_not() {
    assert_eq!(inflate(Encoding::Zstd, &with_window(23), 1 << 20).map(|bytes| bytes.len()), Ok(1000));
    assert_eq!(inflate(Encoding::Zstd, &with_window(24), 1 << 20), Err(InflateError::Window));
}
