-- grain: one prompt of task $2 that model $1 has answered.
-- What was answered, what was expected, and how likely was it?
SELECT p.prompt_id, p.expected, r.response, r.expected_logprob
FROM responses AS r
JOIN prompts AS p ON p.task = r.task AND p.prompt_id = r.prompt_id
WHERE r.model = $1::VARCHAR AND r.task = $2::VARCHAR
ORDER BY p.prompt_id
