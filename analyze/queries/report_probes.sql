-- grain: one condition, layer, site and metric of one probe target.
-- What can be read linearly from the states, against baseline and control task?
SELECT
    condition, layer, site, role, pooling, probe, metric, score, baseline, control, selectivity,
    ci_low, ci_high, p_value, q_value, n_prompts, n_groups, n_classes, n_folds, seed, reason
FROM probes
WHERE model = $model AND task = $task AND target = $target
ORDER BY role, pooling, probe, metric, condition, layer, site
