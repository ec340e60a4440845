-- grain: one condition, layer and head (or reduction of heads) of one ratio.
-- How much more attention, per token, do relevant parts get than irrelevant ones?
SELECT
    condition, layer, head, head_reduction, log_ratio, ratio, ci_low, ci_high, contrast, contrast_with, contrast_ci_low, contrast_ci_high, p_value, q_value, p_value_fwer,
    reference_condition, change, change_ci_low, change_ci_high, change_q_value, change_p_value_fwer,
    first_token_mass, contrast_without_first_token, log_ratio_raw, relevant_mass, irrelevant_mass, top_head,
    n_prompts, n_contrasted, n_zero_mass, n_excluded, n_clusters, cluster, family, confidence, reason
FROM attention_ratios
WHERE study = $study AND model = $model AND task = $task AND name = $name
ORDER BY head_reduction, condition, layer, head
