-- Income and expense by month and account, and cumulated over the calendar year.

-- Without and with year-end closings.
WITH moved AS (
    SELECT postings.tenant, postings.month, postings.accno,
           sum(postings.amount) AS booked,
           sum(CASE WHEN year_end_vouchers.voucher_id IS NULL THEN postings.amount ELSE 0 END) AS result
    FROM postings
    JOIN account_kinds ON account_kinds.tenant = postings.tenant AND account_kinds.accno = postings.accno
    LEFT JOIN year_end_vouchers
      ON year_end_vouchers.tenant = postings.tenant AND year_end_vouchers.module = postings.module
     AND year_end_vouchers.voucher_id = postings.voucher_id
    WHERE account_kinds.kind = 'income_statement'
    GROUP BY postings.tenant, postings.month, postings.accno
), years AS (
    SELECT tenant, CAST(extract(year FROM month) AS INTEGER) AS fiscal_year, accno, min(month) AS since
    FROM moved
    GROUP BY tenant, CAST(extract(year FROM month) AS INTEGER), accno
), loaded_months AS (
    SELECT tenant, month, CAST(extract(year FROM month) AS INTEGER) AS fiscal_year, verdict, proven,
           count(*) OVER so_far = extract(month FROM month) AS complete,
           min(CASE WHEN proven THEN 1 ELSE 0 END) OVER so_far = 1 AS proven_cumulated
    FROM windows
    WHERE loaded
    WINDOW so_far AS (PARTITION BY tenant, extract(year FROM month) ORDER BY month ROWS UNBOUNDED PRECEDING)
), figures AS (
    SELECT loaded_months.*, years.accno,
           coalesce(moved.result, 0) AS result,
           sum(coalesce(moved.result, 0)) OVER so_far AS result_cumulated,
           coalesce(moved.booked, 0) AS booked,
           sum(coalesce(moved.booked, 0)) OVER so_far AS booked_cumulated
    FROM loaded_months
    JOIN years
      ON years.tenant = loaded_months.tenant AND years.fiscal_year = loaded_months.fiscal_year
     AND years.since <= loaded_months.month
    LEFT JOIN moved
      ON moved.tenant = loaded_months.tenant AND moved.month = loaded_months.month AND moved.accno = years.accno
    WINDOW so_far AS (PARTITION BY loaded_months.tenant, loaded_months.fiscal_year, years.accno
                      ORDER BY loaded_months.month ROWS UNBOUNDED PRECEDING)
)
SELECT figures.tenant, figures.fiscal_year, figures.month, figures.accno, account_kinds.account_name,
       CASE WHEN substr(figures.accno, 1, 1) = '3' THEN result ELSE -result END AS amount,
       CASE WHEN substr(figures.accno, 1, 1) = '3' THEN result_cumulated ELSE -result_cumulated END
           AS amount_cumulated,
       result, result_cumulated,
       booked AS result_with_closings, booked_cumulated AS result_with_closings_cumulated,
       complete, verdict, proven, proven_cumulated, account_kinds.kind_source
FROM figures
JOIN account_kinds ON account_kinds.tenant = figures.tenant AND account_kinds.accno = figures.accno
