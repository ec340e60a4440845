-- grain: one condition, layer and head (or reduction of heads) of one ratio.
-- How much more attention, per token, do relevant parts get than irrelevant ones?
SELECT
    condition, layer, head, head_reduction, log_ratio, ratio, ci_low, ci_high, p_value, q_value,
    log_ratio_raw, relevant_mass, irrelevant_mass, top_head, n_prompts, reason
FROM attention_ratios
WHERE model = $model AND task = $task
    AND query = $query AND relevant = $relevant AND irrelevant = $irrelevant
ORDER BY head_reduction, condition, layer, head
