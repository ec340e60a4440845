-- grain: one role and pooling that model $1 has states of on task $2.
-- Which states did the extraction keep?
SELECT DISTINCT role, pooling
FROM hidden_states
WHERE model = $1::VARCHAR AND task = $2::VARCHAR
ORDER BY role, pooling
