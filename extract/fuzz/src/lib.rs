//! What the fuzz targets share: a bound on what a reader may allocate at once, and what must hold of what it accepts.

use hypercolumn_extract::model::architecture::{Architecture, Norm, Positions};
use hypercolumn_extract::tokenize::tokenizer::Tokenizer;
use std::alloc::{GlobalAlloc, Layout, System};

/// Largest single allocation in bytes. Inputs are small, so nothing honest comes near it.
const LARGEST: usize = 1 << 28;

/// Texts that reach every path of an encoder: marks, bytes, several scripts, joined emoji, ligatures, white space.
const TEXTS: [&str; 2] = ["", "Zoë's 北京 <s>\n\t👩\u{200d}👧 ﬁ <|user|>  12 x"];

/// The system's allocator, which ends the process where a reader asks for more than [`LARGEST`]: without a sanitizer
/// libFuzzer's own bound sees nothing.
struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

fn check(n_bytes: usize) {
    if n_bytes > LARGEST {
        eprintln!("an allocation of {n_bytes} bytes");
        std::process::abort();
    }
}

// SAFETY: every call is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, n_bytes: usize) -> *mut u8 {
        check(n_bytes);
        unsafe { System.realloc(pointer, layout, n_bytes) }
    }
}

/// Encodes and decodes: ids lie in the vocabulary, spans in the text.
pub fn use_tokenizer(tokenizer: &Tokenizer) {
    for text in TEXTS {
        let Ok(encoding) = tokenizer.encode(text) else { continue };
        let n_characters = text.chars().count() as u32;
        assert!(encoding.ids.iter().all(|id| (*id as usize) < tokenizer.n_vocabulary()));
        assert!(encoding.offsets.iter().all(|(start, end)| start <= end && *end <= n_characters));
        let _ = tokenizer.decode(&encoding.ids);
    }
}

/// Sizes are sizes, and every number can be computed with in f32.
pub fn check_architecture(architecture: &Architecture) {
    let Architecture { shape, layers, n_kv_heads, head_dim, d_mlp, .. } = architecture;
    assert_eq!(layers.len(), shape.n_layers);
    let sizes = [shape.n_layers, shape.d_model, shape.n_heads, shape.n_vocabulary, shape.n_ctx];
    assert!(sizes.iter().chain([n_kv_heads, head_dim, d_mlp]).all(|size| *size > 0));
    assert!(layers.iter().all(|layer| layer.window != Some(0)));
    assert_eq!(shape.n_heads % n_kv_heads, 0);
    let (Norm::Rms { epsilon } | Norm::Layer { epsilon }) = architecture.norm;
    let optional = [architecture.attention_softcap, architecture.logit_softcap, architecture.embedding_scale];
    let factors = optional.into_iter().flatten().chain([epsilon, architecture.attention_scale]);
    assert!(factors.into_iter().all(|factor| factor.is_normal() && factor > 0.0));
    if let Positions::Rotary(angles) = &architecture.positions {
        assert!(angles.frequencies.iter().chain([&angles.magnitude]).all(|v| v.is_finite()));
        assert!(angles.frequencies.len() * 2 <= *head_dim);
    }
}
