-- grain: one layer, site and head of one question about one declared contrast.
-- What changes between the two conditions of each contrast that the study declares?
SELECT
    contrast, condition, reference_condition, question, variant, layer, site, head,
    change, ci_low, ci_high, q_value, p_value_fwer, n_items, n_clusters, confidence, reason
FROM contrasts
WHERE study = $study AND model = $model AND task = $task AND analysis = $analysis
ORDER BY contrast, question, variant, layer, site, head
