-- grain: one prompt, site and segment of role $4, pooling $5, at layer $3 of model $1 on task $2.
-- What are the states of one layer, segments in reading order?
SELECT prompt_id, site, n_tokens, vector
FROM hidden_states
WHERE model = $1::VARCHAR AND task = $2::VARCHAR AND layer = $3::INTEGER
    AND role = $4::VARCHAR AND pooling = $5::VARCHAR
ORDER BY prompt_id, site, segment
