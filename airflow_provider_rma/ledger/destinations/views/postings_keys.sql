-- Keys of vouchers and lines that stay when a voucher is saved again.

-- The content of a line is the tenant and the business columns of a fingerprint, null and empty being the same. A date
-- becomes a number because its text depends on settings of the session.
SELECT tenant, month, voucher_key,
       md5(content || chr(31) || CAST(occurrence AS VARCHAR)) AS line_hash,
       CAST(occurrence AS INTEGER) AS occurrence,
       module, voucher_id, transdate, accno, amount, entry_id, load_id
FROM (SELECT hashed.*,
             row_number() OVER (PARTITION BY tenant, month, content ORDER BY entry_id) AS occurrence
      FROM (SELECT tenant, month, module, voucher_id, transdate, accno, amount, entry_id, load_id,
                   tenant || ':' || module || ':' || CAST(voucher_id AS VARCHAR) AS voucher_key,
                   md5(coalesce(tenant, '')
                       || chr(31) || coalesce(CAST(CAST(extract(year FROM transdate) * 10000
                                                        + extract(month FROM transdate) * 100
                                                        + extract(day FROM transdate) AS INTEGER) AS VARCHAR), '')
                       || chr(31) || coalesce(accno, '')
                       || chr(31) || coalesce(CAST(amount AS VARCHAR), '')
                       || chr(31) || coalesce(CAST(voucher_id AS VARCHAR), '')
                       || chr(31) || coalesce(module, '')
                       || chr(31) || coalesce(reference, '')
                       || chr(31) || coalesce(description, '')
                       || chr(31) || coalesce(source, '')
                       || chr(31) || coalesce(memo, '')
                       || chr(31) || coalesce(notes, '')
                       || chr(31) || coalesce(intnotes, '')
                       || chr(31) || coalesce(CAST(department_id AS VARCHAR), '')
                       || chr(31) || coalesce(department_name, '')
                       || chr(31) || coalesce(department_role, '')) AS content
            FROM postings) AS hashed) AS counted
