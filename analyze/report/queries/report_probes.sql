-- grain: one condition, layer, site and metric of one probe target.
-- What can be read linearly from the states, against baseline and chance?
SELECT
    condition, train_condition, layer, site, role, pooling, probe, metric, score, baseline, chance, above_chance,
    ci_low, ci_high, p_value, q_value, p_value_fwer, n_prompts, n_groups, n_classes, n_folds, n_repeats, n_permutations, confidence, seed, reason
FROM probes
WHERE study = $study AND model = $model AND task = $task AND target = $target
ORDER BY role, pooling, probe, metric, condition, layer, site
