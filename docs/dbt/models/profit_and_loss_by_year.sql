-- Income and expense of each year so far, proven figures only: the last loaded month has the cumulated figures.
select tenant, fiscal_year, month as until_month, accno, account_name, amount_cumulated as amount, complete
from {{ source('rma', 'profit_and_loss') }} as figures
where proven_cumulated
  and month = (
      select max(latest.month)
      from {{ source('rma', 'profit_and_loss') }} as latest
      where latest.tenant = figures.tenant and latest.fiscal_year = figures.fiscal_year and latest.proven_cumulated
  )
