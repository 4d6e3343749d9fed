"""The company that is seeded: the demo company's chart, grown by what a year of business needs, and its partners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from airflow_provider_rma.simulator import demo_company

#: Number, name, category (asset, liability, equity, income, expense), link.
_MORE_ACCOUNTS = (
    ("2270", "Verbindlichkeiten Sozialversicherungen", "L", ""),
    ("2400", "Darlehen", "L", ""),
    ("5700", "Sozialversicherungsaufwand", "E", "AP_amount"),
    ("6200", "Fahrzeugaufwand", "E", "AP_amount"),
    ("6300", "Sachversicherungen", "E", "AP_amount"),
    ("6400", "Strom und Brennstoff", "E", "AP_amount"),
    ("6570", "Informatik", "E", "AP_amount"),
    ("6600", "Werbung", "E", "AP_amount"),
    ("6800", "Abschreibungen", "E", ""),
    ("6900", "Zinsaufwand", "E", ""),
)

_KINDS = ("Berghaus", "Gasthof", "Alphütte", "Skilift", "Sennerei", "Bergbahn", "Kletterschule", "Biwak", "Hospiz")
_NAMES = ("Murmelstein", "Gratblick", "Föhnegg", "Nebelhorn", "Enzianboden", "Gämsweid", "Silberdistel", "Kreuzjoch",
          "Arvenwald", "Firnspitz", "Sonnenrüti", "Geissalp", "Steinmandli", "Lawinenzug", "Holderbüel")  # fmt: skip
_FORMS = ("AG", "GmbH", "& Söhne", "Genossenschaft", "Verein", "«Alpin» AG", "& Co.")
_CITIES = (("9991", "Musterdorf"), ("9992", "Exempelach"), ("9993", "Beispielstadt"), ("9994", "Probewil"))
_TRADES = ("Transporte", "Wollspinnerei", "Holzhandel", "Käserei", "Druckerei", "Elektro", "Garage", "Informatik")


@dataclass(frozen=True)
class Partner:
    """A customer or vendor, with what its documents depend on."""

    number: str
    currency: str = "CHF"
    taxed: bool = True


#: The demo company's customer who pays in euro.
FOREIGN_CUSTOMER = Partner("K-900", "EUR", taxed=False)


def build_master() -> dict[str, Any]:
    """Master data of the books before the first document."""
    result = demo_company.build_master()
    known = {account["accno"] for account in result["accounts"]}
    result["accounts"] += [
        {"accno": accno, "description": description, "charttype": "A", "category": category, "link": link}
        for accno, description, category, link in _MORE_ACCOUNTS
        if accno not in known
    ]
    for vendor in result["vendors"]:
        vendor["created"] = "2024-03-01"  # not the day of the seeding: the same books every day
    return result


def invent_customers(count: int, rng: Random, start: date) -> list[tuple[Partner, dict[str, Any]]]:
    """Invent customers: every 25th pays in euro, every 25th is abroad and pays no tax.

    :param count: how many.
    :param start: first day of the company.
    """
    result = []
    for index in range(count):
        values = _party("customer", f"K-{10001 + index}", f"{_pick(rng, _KINDS)} {_name(rng, index)}", rng, start)
        partner = Partner(values["customernumber"])
        if index % 25 == 7:
            partner = Partner(values["customernumber"], "EUR", taxed=False)
            values |= {"curr": "EUR", "arap_accno": "1102", "tax_accnos": [], "country": "Österreich"}
        elif index % 25 == 14:
            partner = Partner(values["customernumber"], taxed=False)
            values |= {"arap_accno": "1101", "tax_accnos": [], "country": "Liechtenstein"}
        result.append((partner, values))
    return result


def invent_vendors(count: int, rng: Random, start: date) -> list[tuple[Partner, dict[str, Any]]]:
    """Invent vendors; all of them charge tax, in CHF."""
    result = []
    for index in range(count):
        values = _party("vendor", f"L-{1001 + index}", f"{_pick(rng, _TRADES)} {_name(rng, index)}", rng, start)
        result.append((Partner(values["vendornumber"]), values))
    return result


def _party(kind: str, number: str, name: str, rng: Random, start: date) -> dict[str, Any]:
    zipcode, city = _pick(rng, _CITIES)
    return {
        f"{kind}number": number,
        "name": name[:64],
        "created": start.isoformat(),
        "address1": f"Hüttenweg {1 + rng.randrange(180)}",
        "zipcode": zipcode,
        "city": city,
        "country": "Schweiz",
        "terms": _pick(rng, (10, 20, 30, 30, 30, 60)),
        "bank_iban": "CH9300762011623852957",
        "language_code": _pick(rng, ("de", "de", "de", "fr", "it")),
        "email": f"{number.lower()}@example.invalid",
        "typeofcontact": "company",
    }


def _name(rng: Random, index: int) -> str:
    return f"{_pick(rng, _NAMES)} {index + 1} {_pick(rng, _FORMS)}"


def _pick(rng: Random, values: Any) -> Any:
    return values[int(rng.random() * len(values))]
