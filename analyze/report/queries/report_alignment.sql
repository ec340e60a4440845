-- grain: one condition, layer, site and normalization of one hypothesis.
-- How far do the similarities of prompts follow the hypothesis, layer by layer?
SELECT
    condition, layer, site, role, pooling, normalization, similarity, comparison,
    estimate, ci_low, ci_high, p_value, q_value, p_value_fwer, n_prompts, n_pairs, n_units, n_clusters, units, cluster, nuisances, unadjusted,
    rival, rival_difference, rival_ci_low, rival_ci_high, rival_q_value,
    reference_condition, change, change_ci_low, change_ci_high, change_p_value,
    change_q_value, n_permutations, confidence, seed, reason
FROM rsa
WHERE study = $study AND model = $model AND task = $task AND hypothesis = $hypothesis
ORDER BY condition, role, pooling, normalization, similarity, comparison, layer, site
