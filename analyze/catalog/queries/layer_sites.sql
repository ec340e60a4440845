-- grain: one layer and site at which model $1 has states of role $3, pooling $4, for task $2.
-- Where are there states?
SELECT DISTINCT layer, site
FROM hidden_states
WHERE model = $1::VARCHAR AND task = $2::VARCHAR AND role = $3::VARCHAR AND pooling = $4::VARCHAR
ORDER BY layer, site
