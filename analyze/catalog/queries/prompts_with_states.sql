-- grain: one prompt of task $2 that has states of role $3, pooling $4, at all $5 layers and sites of model $1.
-- Which prompts can be compared at every layer?
SELECT prompt_id
FROM hidden_states
WHERE model = $1::VARCHAR AND task = $2::VARCHAR AND role = $3::VARCHAR AND pooling = $4::VARCHAR
GROUP BY prompt_id
HAVING count(DISTINCT (layer, site)) = $5::BIGINT
ORDER BY prompt_id
