-- Grain: task × measure × role × pooling. Where along the layers a measure differs most between the
-- condition with the fewest and the one with the most examples.
WITH examples AS (
    SELECT task, condition, min(n_examples) AS n_examples FROM prompts GROUP BY task, condition
),
measured AS (
    SELECT
        task, 'alignment: ' || hypothesis AS measure, role, pooling, condition, layer, site,
        estimate AS value
    FROM rsa
    WHERE
        study = $study AND model = $model AND normalization = 'standardize' AND similarity = 'cosine'
        AND comparison = 'rho_a'
    UNION ALL
    SELECT
        task, 'probe: ' || target || ' (' || metric || ')', role, pooling, condition, layer, site,
        score
    FROM probes
    WHERE study = $study AND model = $model AND metric IN ('balanced_accuracy', 'r2')
    UNION ALL
    SELECT
        task, 'log attention ratio: ' || name, query, '', condition, layer, '', log_ratio
    FROM attention_ratios
    WHERE study = $study AND model = $model AND head_reduction = 'mean'
),
placed AS (
    SELECT m.*, e.n_examples
    FROM measured AS m
    JOIN examples AS e USING (task, condition)
    WHERE m.value IS NOT NULL AND list_contains(from_json($tasks, '["VARCHAR"]'), m.task)
),
ends AS (
    SELECT
        task, measure, role, pooling,
        arg_min(condition, n_examples) AS fewest, arg_max(condition, n_examples) AS most
    FROM placed
    GROUP BY task, measure, role, pooling
    HAVING min(n_examples) < max(n_examples)
),
changes AS (
    SELECT
        e.task, e.measure, e.role, e.pooling, e.fewest, e.most, a.layer,
        a.value AS before, b.value AS after
    FROM ends AS e
    JOIN placed AS a
        ON (a.task, a.measure, a.role, a.pooling, a.condition)
        = (e.task, e.measure, e.role, e.pooling, e.fewest)
    JOIN placed AS b
        ON (b.task, b.measure, b.role, b.pooling, b.layer, b.site, b.condition)
        = (e.task, e.measure, e.role, e.pooling, a.layer, a.site, e.most)
)
SELECT
    task,
    measure,
    concat_ws(', ', role, nullif(pooling, '')) AS "of",
    fewest || ' → ' || most AS conditions,
    arg_max(layer, abs(after - before)) AS peak_layer,
    round(arg_max(before, abs(after - before)), 3) AS before,
    round(arg_max(after, abs(after - before)), 3) AS after,
    round(arg_max(after - before, abs(after - before)), 3) AS change
FROM changes
GROUP BY task, measure, role, pooling, fewest, most
ORDER BY task, measure, role, pooling
