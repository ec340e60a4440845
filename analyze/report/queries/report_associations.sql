-- grain: one condition, measure, layer and statistic of one behaviour metric.
-- Do items whose measure changes more also improve more?
SELECT
    condition, reference_condition, contrast, measure, layer, statistic,
    estimate, ci_low, ci_high, p_value, q_value, n, n_clusters, cluster, confidence, reason
FROM associations
WHERE study = $study AND model = $model AND task = $task AND behavior_metric = $metric
ORDER BY measure, statistic, condition, layer
