"""Texts of seeded documents, as long and as awkward as those of real books."""

from __future__ import annotations

from random import Random

_DELIVERIES = (
    "Lieferung Hüttenbedarf", "Nachlieferung", "Saisonvertrag", "Proviant & Getränke", "Reparatur Solaranlage",
    "Materialflug", "Wäscheservice", "Miete Depotgebinde", "Wartung Kläranlage", "Brennholz <gespalten>",
    'Einbau Ofen Typ "Gletscher"', "Winterausrüstung", "Frachtanteil", "Teilrechnung Umbau",
)  # fmt: skip
_PLACES = (
    "Gratblick-Hütte", "Winterraum", "Talstation", "Biwak Nordgrat", "Küche", "Terrasse", "Massenlager West",
    "Materialseilbahn",
)  # fmt: skip
_SENTENCES = (
    "Bitte bei der Zahlung die Rechnungsnummer angeben.",
    "Lieferung mit der Materialseilbahn, Übergabe an der Bergstation.",
    "Das Depot für Mehrweggebinde wird bei Rückgabe gutgeschrieben.",
    "Preise in CHF & exkl. MWST, sofern nicht anders vermerkt.",
    "Wegen Schneefalls um zwei Tage verspätet geliefert – Entschuldigung!",
    "Rückfragen: Büro Talstation, während der Saison täglich 7–19 Uhr.",
    "À l'attention du gardien; livraison seulement si la météo le permet.",
    "Merce controllata all'arrivo, nessun danno.",
    "Abgerufen aus Rahmenvertrag, Restmenge siehe Beilage.",
)
_EXPENSES = (
    "Rechnung Lieferant",
    "Monatsabrechnung",
    "Ersatzteile",
    "Serviceabonnement",
    "Material gemäss Lieferschein",
)


def delivery(rng: Random) -> str:
    """Title of an invoice, 20 to 70 characters."""
    return f"{_pick(rng, _DELIVERIES)}, {_pick(rng, _PLACES)}, Auftrag {1000 + rng.randrange(9000)}"


def line(rng: Random) -> str:
    """Text of a line or an entry."""
    return f"{_pick(rng, _DELIVERIES)} {_pick(rng, _PLACES)}"


def expense(rng: Random) -> str:
    """Title of a purchase."""
    return f"{_pick(rng, _EXPENSES)} {1 + rng.randrange(999)}, {_pick(rng, _PLACES)}"


def notes(rng: Random) -> str:
    """Notes: none on most documents, a sentence or two on some, a long text of several lines on a few."""
    chance = rng.random()
    if chance < 0.7:
        return ""
    sentences = 1 + int(rng.random() * 2) if chance < 0.98 else 8 + int(rng.random() * 8)
    return ("\n" if sentences > 2 else " ").join(_pick(rng, _SENTENCES) for _ in range(sentences))


def _pick(rng: Random, values: tuple[str, ...]) -> str:
    return values[int(rng.random() * len(values))]
