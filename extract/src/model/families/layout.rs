//! How a file stores the weights: names, and the few ways in which projections are laid out.

/// Names of a family's tensors, without `.weight` or `.bias`, and how each is to be read.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Before every name but the unembedding's. Checkpoints of the bare decoder leave it out everywhere.
    pub prefix: &'static str,
    /// Before the number of a block, which a dot follows.
    pub block: &'static str,
    /// Token embeddings.
    pub embedding: &'static str,
    /// Learned position vectors.
    pub positions: Option<&'static str>,
    /// After the last block.
    pub final_norm: &'static str,
    /// To logits: the names that versions have given it.
    pub unembedding: &'static [&'static str],
    /// In a block, before attention.
    pub attention_norm: &'static str,
    /// The three projections before attention.
    pub query_key_value: QueryKeyValue,
    /// Over each query head and each key head.
    pub head_norms: Option<(&'static str, &'static str)>,
    /// The projection after attention.
    pub attention_output: &'static str,
    /// Of attention's result.
    pub post_attention_norm: Option<&'static str>,
    /// Before the feed-forward part.
    pub feed_forward_norm: &'static str,
    /// The first matrix or matrices of the feed-forward part.
    pub up: FeedForward,
    /// Its last matrix.
    pub down: &'static str,
    /// Of the feed-forward part's result.
    pub post_feed_forward_norm: Option<&'static str>,
    /// Which way the matrices of a block are stored.
    pub orientation: Orientation,
    /// What is added to the factors of every norm.
    pub norm_offset: f32,
    /// How the rows of query and key heads are ordered.
    pub rotary_pairs: RotaryPairs,
    /// Ends of names that hold no weights: masks and tables that older versions saved.
    pub not_weights: &'static [&'static str],
}

/// How query, key and value projections are stored.
#[derive(Clone, Copy, Debug)]
pub enum QueryKeyValue {
    /// Three tensors.
    Separate([&'static str; 3]),
    /// One tensor: all queries, then all keys, then all values.
    Stacked(&'static str),
    /// One tensor: for each head its query, its key, its value.
    PerHead(&'static str),
}

/// How the way up of the feed-forward part is stored.
#[derive(Clone, Copy, Debug)]
pub enum FeedForward {
    /// Gate and up, two tensors.
    Gated([&'static str; 2]),
    /// One tensor: all of gate, then all of up.
    GatedStacked(&'static str),
    /// No gate.
    Plain(&'static str),
}

/// Which way a matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// As it multiplies: outputs × inputs.
    OutputsByInputs,
    /// Transposed (the `Conv1D` of GPT-2).
    InputsByOutputs,
}

/// Which rows of a head's projection turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotaryPairs {
    /// Row i with row i + width / 2.
    Halves,
    /// Row 2i with row 2i + 1.
    Adjacent,
}

impl Layout {
    /// The names of Llama and of those that followed it.
    pub const LLAMA: Self = Self {
        prefix: "model.",
        block: "layers.",
        embedding: "embed_tokens",
        positions: None,
        final_norm: "norm",
        unembedding: &["lm_head"],
        attention_norm: "input_layernorm",
        query_key_value: QueryKeyValue::Separate([
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
        ]),
        head_norms: None,
        attention_output: "self_attn.o_proj",
        post_attention_norm: None,
        feed_forward_norm: "post_attention_layernorm",
        up: FeedForward::Gated(["mlp.gate_proj", "mlp.up_proj"]),
        down: "mlp.down_proj",
        post_feed_forward_norm: None,
        orientation: Orientation::OutputsByInputs,
        norm_offset: 0.0,
        rotary_pairs: RotaryPairs::Halves,
        not_weights: &[".rotary_emb.inv_freq"],
    };

    /// The names of GGUF files. Their converters have already turned and added what safetensors leave to the
    /// reader: Conv1D is transposed, Gemma's norms have their 1, GPT-NeoX's projection is stacked.
    pub const GGUF: Self = Self {
        prefix: "",
        block: "blk.",
        embedding: "token_embd",
        positions: None,
        final_norm: "output_norm",
        unembedding: &["output"],
        attention_norm: "attn_norm",
        query_key_value: QueryKeyValue::Separate(["attn_q", "attn_k", "attn_v"]),
        head_norms: None,
        attention_output: "attn_output",
        post_attention_norm: None,
        feed_forward_norm: "ffn_norm",
        up: FeedForward::Gated(["ffn_gate", "ffn_up"]),
        down: "ffn_down",
        post_feed_forward_norm: None,
        orientation: Orientation::OutputsByInputs,
        norm_offset: 0.0,
        rotary_pairs: RotaryPairs::Halves,
        not_weights: &["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"],
    };
}
