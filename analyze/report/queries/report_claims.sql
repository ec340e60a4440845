-- grain: one claim of one task.
-- What did the study claim beforehand, and do its results bear it out?
SELECT
    task, claim, about, condition, reference_condition, layer, expected_sign, estimate, ci_low, ci_high, p_value, q_value, verdict,
    smallest, detectable, n, n_clusters, confidence, reason
FROM claims
WHERE study = $study AND model = $model
ORDER BY task, claim
