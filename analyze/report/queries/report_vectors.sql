-- grain: one prompt of two conditions, whose item both have.
-- What are the pooled states of the prompts at one layer, site, role and pooling?
WITH chosen AS (
    SELECT p.prompt_id, p.item_id, p.condition, h.vector
    FROM hidden_states AS h
    JOIN prompts AS p ON p.task = h.task AND p.prompt_id = h.prompt_id
    WHERE h.model = $model AND h.task = $task AND h.layer = CAST($layer AS INTEGER)
        AND h.site = $site AND h.role = $role AND h.pooling = $pooling
        AND p.condition IN ($first, $last)
    QUALIFY row_number() OVER (PARTITION BY p.condition, p.item_id ORDER BY h.segment, p.prompt_id) = 1
)
SELECT prompt_id, item_id, condition, vector
FROM chosen
QUALIFY count(*) OVER (PARTITION BY item_id) = 2
ORDER BY condition, item_id
