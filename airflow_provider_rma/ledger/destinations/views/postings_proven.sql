-- The postings of the months whose loaded verdict is exact or tolerated.
SELECT postings.*
FROM postings
JOIN windows ON windows.tenant = postings.tenant AND windows.month = postings.month
WHERE windows.proven
