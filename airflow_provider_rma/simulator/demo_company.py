"""The demo company: an invented supplier of mountain huts with a small chart of accounts of its own.

Account numbers and links are those of the documented samples and of the Swiss base chart of the service;
the articles ART-1 and ART-2, customer K-001 and ``Department 2`` let the documented payloads post as they
stand. Everything else is made up.
"""

from __future__ import annotations

from typing import Any

_TAX = "IC_taxpart:IC_taxservice"

#: Number, name, category (asset, liability, equity, income, expense), link; headings have charttype H.
_HEADINGS = (
    ("1", "Aktiven", "A"),
    ("2", "Passiven", "L"),
    ("3", "Betriebsertrag", "I"),
    ("4", "Material und Waren", "E"),
    ("5", "Personal", "E"),
    ("6", "Übriger Betriebsaufwand", "E"),
)
_ACCOUNTS = (
    ("1000", "Kasse", "A", "AR_paid:AP_paid"),
    ("1020", "Bank", "A", "AR_paid:AP_paid"),
    ("1021", "Bank Euro", "A", "AR_paid:AP_paid"),
    ("1030", "Zahlungskonto Schnittstelle", "A", "AR_paid:AP_paid"),
    ("1090", "Transferkonto", "A", "AR_paid:AP_paid"),
    ("1099", "Unklare Beträge", "A", "AP_amount"),
    ("1100", "Forderungen Schweiz", "A", "AR"),
    ("1101", "Forderungen Ausland", "A", "AR"),
    ("1102", "Forderungen Ausland Fremdwährung", "A", "AR"),
    ("1170", "Vorsteuer Normalsatz", "A", f"AP_tax:{_TAX}"),
    ("1171", "Vorsteuer reduzierter Satz", "A", f"AP_tax:{_TAX}"),
    ("1192", "Geleistete Anzahlungen", "A", "AP_paid"),
    ("1200", "Warenlager", "A", ""),
    ("1500", "Maschinen und Apparate", "A", "AP_amount"),
    ("1510", "Mobiliar", "A", "AP_amount"),
    ("1520", "Büromaschinen", "A", "AP_amount"),
    ("1530", "Fahrzeuge", "A", "AP_amount"),
    ("1590", "Übrige mobile Sachanlagen", "A", "AP_amount"),
    ("2000", "Verbindlichkeiten Lieferanten", "L", "AP"),
    ("2030", "Erhaltene Anzahlungen", "L", "AR_amount:IC_income"),
    ("2200", "Geschuldete MWST", "L", "AP_amount"),
    ("2201", "Umsatzsteuer Normalsatz", "L", f"AR_tax:{_TAX}"),
    ("2202", "Umsatzsteuer reduzierter Satz", "L", f"AR_tax:{_TAX}"),
    ("2800", "Aktienkapital", "Q", ""),
    ("2990", "Gewinnvortrag", "Q", ""),
    ("3000", "Produktionserlöse", "I", "AR_amount:IC_income"),
    ("3200", "Handelserlöse", "I", "AR_amount:IC_income"),
    ("3400", "Dienstleistungserlöse", "I", "AR_amount:IC_income"),
    ("3600", "Nebenerlöse", "I", "AR_amount:IC_income"),
    ("3680", "Sonstige Erlöse", "I", "AR_amount:IC_income"),
    ("3689", "Nicht kontiert", "I", "AR_amount"),
    ("3699", "Systemkonto Ertrag", "I", "AR_amount:IC_sale:IC_income"),
    ("3800", "Skonti", "I", "AR_paid"),
    ("3801", "Rabatte und Preisnachlässe", "I", "AR_paid"),
    ("38011", "Rabatte Importe", "I", "AR_amount"),
    ("3805", "Verluste Forderungen", "I", "AR_amount:IC_income"),
    ("3809", "Rundungsdifferenzen", "I", "AR_amount"),
    ("4000", "Materialeinkauf", "E", "AP_amount"),
    ("4200", "Wareneinkauf", "E", "AP_amount"),
    ("4400", "Fremdleistungen", "E", "AP_amount"),
    ("4999", "Systemkonto Aufwand", "E", "AP_amount:IC_expense:IC_cogs"),
    ("5000", "Löhne", "E", "AP_amount"),
    ("6000", "Mietzins", "E", "AP_amount"),
    ("6280", "Helikoptertransporte", "E", "AP_amount"),
    ("6500", "Büromaterial", "E", "AP_amount"),
    ("6510", "Telekommunikation", "E", "AP_amount"),
    ("6940", "Bankspesen", "E", "AR_paid:AP_paid"),
    ("6942", "Kursverluste", "E", ""),
    ("6952", "Kursgewinne", "E", ""),
)

#: Accounts that only documents may move, never a general-ledger voucher.
_NO_GL = frozenset({"1100", "1101", "1102", "2000"})

_NORMAL_RATES = (("0.08", None, "2017-12-31"), ("0.077", "2018-01-01", "2023-12-31"), ("0.081", "2024-01-01", None))
_REDUCED_RATES = (("0.025", None, "2023-12-31"), ("0.026", "2024-01-01", None))
_RATES = {"1170": _NORMAL_RATES, "1171": _REDUCED_RATES, "2201": _NORMAL_RATES, "2202": _REDUCED_RATES}

_NORMAL = ["1170", "2201"]
_REDUCED = ["1171", "2202"]

#: Number, text, unit, price, income account, expense account, taxes.
_PARTS: tuple[tuple[str, str, str, str, str, str, list[str]], ...] = (
    ("ART-1", "Beispiel Artikel 1", "", "99.0", "3400", "4999", _NORMAL),
    ("ART-2", "Beispiel Artikel 2", "", "0.0", "3400", "4999", ["2201"]),
    ("HB-100", "Wolldecke grau, 150 x 210 cm", "Stk", "84.50", "3200", "4200", _NORMAL),
    ("HB-101", "Hüttenfinken, Filz, Grösse 42", "Paar", "32.95", "3200", "4200", _NORMAL),
    ("HB-102", "Stirnlampe mit Ladekabel", "Stk", "46.90", "3200", "4200", _NORMAL),
    ("HB-103", "Brennholz Buche, gespalten", "Ster", "189.00", "3200", "4200", _NORMAL),
    ("HB-104", "Holzschraube 4 x 40 mm", "Stk", "0.125", "3200", "4200", _NORMAL),
    ("HB-105", "Gipfelbuch, wetterfest", "Stk", "27.35", "3000", "4000", _NORMAL),
    ("LM-200", "Bergkäse, halber Laib", "kg", "26.80", "3200", "4200", _REDUCED),
    ("LM-201", "Röstizwiebeln, Beutel", "Stk", "4.15", "3200", "4200", _REDUCED),
    ("LM-202", "Kräutertee Alpenrose, lose", "kg", "58.00", "3200", "4200", _REDUCED),
    ("LM-203", "Gerstensuppe, Trockenmischung", "kg", "17.45", "3200", "4200", _REDUCED),
    ("DL-300", "Materialflug, pro Rotation", "Flug", "465.00", "3400", "6280", _NORMAL),
    ("DL-301", "Kontrolle Solaranlage, pro Stunde", "Std", "142.00", "3400", "4400", _NORMAL),
    ("DL-302", "Depot Mehrweggebinde", "Stk", "15.00", "3600", "4400", []),
)


def build_master() -> dict[str, Any]:
    """Master data of the demo company, in the form of ``master_tables.load_master``."""
    return {
        "tenant": {
            "company": "Steinbock Hüttenbedarf AG",
            "precision": 2,
            "default_currency": "CHF",
            "currencies": [{"curr": "CHF", "precision": 2}, {"curr": "EUR", "precision": 2}],
            "languages": ["de", "fr", "it"],
            "fxgain_accno": "6952",
            "fxloss_accno": "6942",
            "closedto": None,
        },
        "accounts": [_heading(*heading) for heading in _HEADINGS] + [_account(*account) for account in _ACCOUNTS],
        "taxes": [
            {"accno": accno, "rate": rate, "validfrom": start, "validto": end}
            for accno, rates in _RATES.items()
            for rate, start, end in rates
        ],
        "departments": [
            {"name": "Hüttenshop", "role": "P"},
            {"name": "Department 2", "role": "P"},
            {"name": "Lager Talstation", "role": "C"},
        ],
        "projects": [
            {"number": "2501", "description": "Umbau Gratblick-Hütte"},
            {"number": "2502", "description": "Winterraum Nebelhorn"},
        ],
        "parts": [_part(*part) for part in _PARTS],
        "customers": _customers(),
        "vendors": _vendors(),
    }


def _heading(accno: str, description: str, category: str) -> dict[str, Any]:
    return {"accno": accno, "description": description, "charttype": "H", "category": category, "link": ""}


def _account(accno: str, description: str, category: str, link: str) -> dict[str, Any]:
    return {
        "accno": accno,
        "description": description,
        "charttype": "A",
        "category": category,
        "link": link,
        "allow_gl": accno not in _NO_GL,
    }


def _part(
    number: str, description: str, unit: str, price: str, income: str, expense: str, taxes: list[str]
) -> dict[str, Any]:
    return {
        "partnumber": number,
        "description": description,
        "unit": unit,
        "quantity": "1",
        "sellprice": price,
        "lastcost": "0",
        "discount": "0",
        "income_accno": income,
        "expense_accno": expense,
        "tax_accnos": list(taxes),
        "price_update": "2012-01-01",
    }


def _customers() -> list[dict[str, Any]]:
    return [
        {
            "customernumber": "K-001",
            "name": "Muster AG",
            "created": "2012-02-21",
            "salutation": "Herr",
            "firstname": "Hans",
            "lastname": "Muster",
            "address1": "Musterweg 1",
            "zipcode": "7000",
            "city": "Musterdorf",
            "country": "Schweiz",
            "terms": 30,
            "bank_iban": "CH9300762011623852957",
            "typeofcontact": "company",
        },
        {
            "customernumber": "K-900",
            "name": "Almbetrieb Beispiel GmbH",
            "created": "2024-03-01",
            "city": "Beispielstadt",
            "country": "Österreich",
            "terms": 30,
            "curr": "EUR",
            "arap_accno": "1102",
            "typeofcontact": "company",
        },
        {
            "customernumber": "K-901",
            "name": "Verein Exempel ohne Steuer",
            "created": "2024-03-01",
            "city": "Exempelach",
            "country": "Liechtenstein",
            "terms": 10,
            "arap_accno": "1101",
            "tax_accnos": [],
            "typeofcontact": "company",
        },
    ]


def _vendors() -> list[dict[str, Any]]:
    return [
        {"vendornumber": "L-001", "name": "Wollspinnerei Beispiel", "city": "Musterdorf", "terms": 30},
        {"vendornumber": "L-002", "name": "Musterflug AG", "city": "Exempelach", "terms": 14},
    ]
