-- grain: one condition, layer and head (or reduction of heads) of one ratio.
-- How much more attention, per token, do relevant parts get than irrelevant ones?
SELECT
    condition, layer, head, head_reduction, log_ratio, ratio, ci_low, ci_high, contrast, contrast_with, contrast_ci_low, contrast_ci_high, p_value, q_value,
    reference_condition, change, change_ci_low, change_ci_high, change_q_value,
    log_ratio_raw, relevant_mass, irrelevant_mass, top_head, n_prompts, n_excluded, n_clusters, cluster, confidence, reason
FROM attention_ratios
WHERE model = $model AND task = $task
    AND query = $query AND relevant = $relevant AND irrelevant = $irrelevant
ORDER BY head_reduction, condition, layer, head
