//! Pickles that are whole, cut, altered or made to do harm.

use super::*;

/// A pickle of protocol 2 with this body.
fn read(body: &[u8]) -> Read<Vec<(String, Tensor)>> {
    read_tensors(&[&[0x80, 2], body, b"."].concat())
}

#[test]
fn what_could_run_code_is_refused_by_name() {
    let refused = read(b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R").expect_err("refused");
    assert_eq!(refused, Refusal::Unread("names `os.system`, which could run code and is not called".into()));
    let stacked = read(b"\x8c\x08builtins\x8c\x04eval\x93").expect_err("refused");
    assert!(stacked.to_string().contains("builtins.eval"), "{stacked}");
    for opcode in [b'i', b'o', 0x81, 0x92, 0x82, b'P', b'V', b'F'] {
        assert!(matches!(read(&[opcode]), Err(Refusal::Unread(_))), "0x{opcode:02x}");
    }
}

#[test]
fn bombs_and_nesting_end_in_a_refusal() {
    // A list that holds the list before it twice, thirty times over: as a tree it would have 2^30 leaves.
    let mut bomb = b"]q\x00".to_vec();
    for n in 0..30u8 {
        bomb.extend([b']', b'q', n + 1, b'h', n, b'a', b'h', n, b'a']);
    }
    assert!(read(&bomb).is_err());
    assert!(read(&b")".repeat(300_000)).is_err());
    let nested = [&b")"[..], &b"\x85".repeat(300_000)].concat();
    assert!(read(&nested).is_err(), "nothing recurses");
    assert!(read(b"}r\xff\xff\xff\x7f").is_err(), "a memo of two thousand million entries is not made");
    assert!(read(b"}r\xff\xff\xff\x7f0").is_err());
}

#[test]
fn every_beginning_of_a_pickle_is_refused_without_a_panic() {
    let whole = [
        &b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00wq\x02ctorch._utils\n_rebuild_tensor_v2\nq\x03("[..],
        b"(X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x000q\x06X\x03\x00\x00\x00cpuq\x07K\x06tq\x08Q",
        b"K\x00K\x02K\x03\x86q\x09K\x03K\x01\x86q\x0a\x89h\x00)Rq\x0btq\x0cRq\x0du}q\x0eX\x09\x00\x00\x00_metadatah\x00)Rsb.",
    ]
    .concat();
    let tensors = read_tensors(&whole).expect("whole");
    let storage = Storage { key: "0".into(), kind: "F32", n_values: 6 };
    let tensor = Tensor { storage, offset: 0, shape: vec![2, 3], strides: vec![3, 1] };
    assert_eq!(tensors, [("w".to_owned(), tensor)]);
    for length in 0..whole.len() {
        assert!(read_tensors(&whole[..length]).is_err(), "{length}");
    }
    for at in 0..whole.len() {
        for byte in [0, b'R', b'Q', b'b', b'u', 0xff] {
            let mut other = whole.clone();
            other[at] = byte;
            drop(read_tensors(&other));
        }
    }
}
