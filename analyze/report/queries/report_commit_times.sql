-- grain: one moment.
-- What date is a number of seconds since the Unix epoch?
SELECT strftime(make_timestamp(CAST($seconds AS BIGINT) * 1000000), '%Y-%m-%d %H:%M:%S UTC') AS moment
