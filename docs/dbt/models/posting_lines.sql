-- Postings of proven months under keys that stay when a voucher is saved again. Built anew each time: a model that is
-- merged by line_hash must also delete the lines that are gone.
select keys.voucher_key, keys.line_hash, keys.tenant, keys.month, keys.transdate, keys.accno, keys.amount
from {{ source('rma', 'postings_keys') }} as keys
join {{ source('rma', 'windows') }} as months on months.tenant = keys.tenant and months.month = keys.month
where months.proven
