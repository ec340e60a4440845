//! temporary
use super::architecture::*;
use super::gguf::GgufFile;
use crate::backend::Shape;
use crate::error::ExtractError;
use candle_core::Tensor;

pub struct Llama {
    file: GgufFile,
    architecture: Architecture,
    table: std::sync::OnceLock<Vec<f32>>,
}
impl std::fmt::Debug for Llama {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("Llama")
    }
}
impl Llama {
    pub fn open(file: GgufFile) -> Result<Self, ExtractError> {
        let d_model = file.count("embedding_length")?;
        let n_heads = file.count("attention.head_count")?;
        let n_key_heads = file.count("attention.head_count_kv")?;
        let width = d_model / n_heads;
        let n_layers = file.count("block_count")?;
        let base = file.float("rope.freq_base")?;
        let architecture = Architecture {
            family: "llama",
            shape: Shape {
                n_layers,
                d_model,
                n_heads,
                n_vocabulary: file.dims("token_embd.weight")?[0],
                context: file.count("context_length")?,
            },
            n_key_heads,
            head_width: width,
            d_feed_forward: file.count("feed_forward_length")?,
            norm: Norm::Rms { epsilon: file.float("attention.layer_norm_rms_epsilon")? },
            residual: Residual::Sequential,
            activation: Activation::Silu,
            is_gated: true,
            positions: Positions::Rotary(RotaryAngles {
                frequencies: (0..width / 2).map(|i| 1.0 / base.powf((2 * i) as f32 / width as f32)).collect(),
                magnitude: 1.0,
            }),
            attention_scale: 1.0 / (width as f32).sqrt(),
            attention_softcap: None,
            logit_softcap: None,
            embedding_scale: None,
            layers: vec![Layer { window: None, rotates: true }; n_layers],
        };
        Ok(Self { file, architecture, table: Default::default() })
    }
    pub fn hash(&self) -> Result<String, ExtractError> {
        self.file.hash()
    }
    fn get(&self, name: &str, dims: &[usize]) -> Result<Vec<f32>, ExtractError> {
        Ok(self.file.tensor(name, dims)?.flatten_all()?.to_vec1()?)
    }
}
fn split(weight: &[f32], width: usize, columns: usize) -> Vec<f32> {
    let t = Tensor::from_slice(
        weight,
        (weight.len() / columns / width, width / 2, 2, columns),
        &candle_core::Device::Cpu,
    )
    .expect("x");
    t.transpose(1, 2).expect("x").contiguous().expect("x").flatten_all().expect("x").to_vec1().expect("x")
}
impl Checkpoint for Llama {
    fn architecture(&self) -> &Architecture {
        &self.architecture
    }
    fn embeddings(&self, ids: &[u32]) -> Result<Vec<f32>, ExtractError> {
        let s = self.architecture.shape;
        let t = match self.table.get() {
            Some(t) => t,
            None => {
                let t = self.get("token_embd.weight", &[s.n_vocabulary, s.d_model])?;
                self.table.get_or_init(|| t)
            }
        };
        Ok(ids.iter().flat_map(|i| t[*i as usize * s.d_model..][..s.d_model].iter().copied()).collect())
    }
    fn position_embeddings(&self) -> Result<Option<Vec<f32>>, ExtractError> {
        Ok(None)
    }
    fn layer(&self, index: usize) -> Result<LayerWeights, ExtractError> {
        let a = &self.architecture;
        let d = a.shape.d_model;
        let all = a.shape.n_heads * a.head_width;
        let sh = a.n_key_heads * a.head_width;
        let ff = a.d_feed_forward;
        let t = |n: &str, dims: &[usize]| self.get(&format!("blk.{index}.{n}.weight"), dims);
        let lin = |weight, n_out, n_in| Linear { weight, bias: None, n_out, n_in };
        let norm = |scale| NormWeights { scale, shift: None };
        let qkv = [
            split(&t("attn_q", &[all, d])?, a.head_width, d),
            split(&t("attn_k", &[sh, d])?, a.head_width, d),
            t("attn_v", &[sh, d])?,
        ]
        .concat();
        Ok(LayerWeights {
            attention_norm: norm(t("attn_norm", &[d])?),
            query_key_value: lin(qkv, all + 2 * sh, d),
            query_norm: None,
            key_norm: None,
            attention_output: lin(t("attn_output", &[d, all])?, d, all),
            post_attention_norm: None,
            feed_forward_norm: norm(t("ffn_norm", &[d])?),
            up: lin([t("ffn_gate", &[ff, d])?, t("ffn_up", &[ff, d])?].concat(), 2 * ff, d),
            down: lin(t("ffn_down", &[d, ff])?, d, ff),
            post_feed_forward_norm: None,
        })
    }
    fn final_norm(&self) -> Result<NormWeights, ExtractError> {
        Ok(NormWeights {
            scale: self.get("output_norm.weight", &[self.architecture.shape.d_model])?,
            shift: None,
        })
    }
    fn unembedding(&self) -> Result<Linear, ExtractError> {
        let s = self.architecture.shape;
        Ok(Linear {
            weight: self.get("token_embd.weight", &[s.n_vocabulary, s.d_model])?,
            bias: None,
            n_out: s.n_vocabulary,
            n_in: s.d_model,
        })
    }
}
