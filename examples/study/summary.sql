-- One row for each condition and way of scoring.
SELECT condition, metric, count(*) AS n, round(avg(score), 3) AS mean
FROM behavior
WHERE study = 'example'
GROUP BY ALL
ORDER BY ALL
