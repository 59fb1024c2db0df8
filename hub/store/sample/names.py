"""Words of which the sample people and companies are made: our own lists, by country."""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """What people and companies of a country are called, and how they are reached."""

    code: str
    language: str
    share: int  # of a hundred people
    first: tuple[str, ...]
    last: tuple[str, ...]
    company: tuple[str, ...]
    trade: tuple[str, ...]
    form: str  # with what stands before it
    mobile: tuple[str, ...]  # national patterns, x a digit
    landline: tuple[str, ...]
    styles: tuple[
        str, ...
    ]  # how people type them: {n} grouped, {plain}, {cc} the country's code, {rest} without trunk 0


COUNTRIES = (
    Country(
        "ES", "es", 34,
        ("Lucía", "Martín", "Carmen", "Álvaro", "Noelia", "Íñigo", "Rocío", "Sergio", "Begoña", "Pablo", "Marta", "Jordi",
         "Nuria", "Xabier", "Inés", "Rubén", "Aitana", "Gonzalo", "Pilar", "Óscar"),
        ("Romero", "Ibáñez", "Núñez", "Castaño", "Ferrer", "Otxoa", "Delgado", "Peña", "Vidal", "Quiroga", "Lozano", "Arias",
         "Muñoz", "Serrano", "Bravo", "Etxeberria", "Roldán", "Calvo", "Montes", "Segura"),
        ("Naranja Viva", "Cantera Norte", "Sol de Levante", "Río Claro", "Alameda", "Tejados del Sur", "La Encina"),
        ("Logística", "Seguros", "Clínicas", "Energía", "Textil", "Hoteles"), ", S.L.",
        ("6xx xx xx xx",), ("91 4xx xx xx", "93 2xx xx xx", "94 41x xx xx", "96 3xx xx xx", "95 4xx xx xx"),
        ("{n}", "+34 {n}", "0034 {plain}", "{plain}", "(+34) {dots}", "+34{plain}", "{dashes}"),
    ),
    Country(
        "FR", "fr", 22,
        ("Chloé", "Mathis", "Éloïse", "Rémi", "Inès", "Baptiste", "Maëlle", "Théo", "Solène", "Gaëtan", "Lise", "Quentin",
         "Anaïs", "Yann", "Camille", "Étienne", "Margaux", "Cédric"),
        ("Lefort", "Garnier", "Béranger", "Morvan", "Chauvet", "Delorme", "Rivière", "Pasquier", "L'Hostis", "Vasseur",
         "Aubert", "Marchal", "Colin", "Dupré", "Gauthier", "Besson", "Rolland", "Hébrard"),
        ("Bois Clair", "Trois Rivières", "Mistral", "Vallon Bleu", "Grand Large", "Lavandin"),
        ("Transports", "Assurances", "Optique", "Habitat", "Distribution"), " SAS",
        ("06 1x xx xx xx", "07 8x xx xx xx"), ("01 99 00 xx xx", "04 65 71 xx xx"),
        ("{n}", "+33 {rest}", "+33 (0){rest}", "0033{restplain}", "{dots}", "{plain}"),
    ),
    Country(
        "GB", "en", 16,
        ("Imogen", "Alfie", "Saoirse", "Callum", "Priya", "Rhys", "Beatrix", "Owen", "Zara", "Fergus", "Harriet", "Dev",
         "Maisie", "Angus", "Nia", "Tobias"),
        ("Ashworth", "O'Connell", "Pemberton", "MacAulay", "Hartley", "Llewellyn", "Okafor", "Whitcombe", "Desai", "Farrow",
         "Kinsella", "Bexley-Hughes", "Thorne", "Penrose", "Sandhu", "Wren"),
        ("Harbour Lane", "Northgate", "Copperfield", "Millbrook", "Fenwick & Daughters"),
        ("Freight", "Dental", "Lettings", "Insurance", "Garden Supplies"), " Ltd",
        ("074xx xxxxxx", "077xx xxxxxx"), ("020 7946 0xxx", "0161 496 0xxx"),
        ("{n}", "+44 {rest}", "+44 (0){rest}", "0044 {restplain}", "{plain}"),
    ),
    Country(
        "DE", "de", 12,
        ("Jürgen", "Friederike", "Björn", "Käthe", "Malte", "Annika", "Sören", "Ulrike", "Lennart", "Heidrun", "Jörg",
         "Mareike"),
        ("Großmann", "Weißenfels", "Krüger", "Ahlers", "Böttcher", "Steinhoff", "Jäger", "Lindqvist", "Petersen", "Röhrig",
         "Vogelsang", "Zöllner"),
        ("Elbkontor", "Waldhof", "Sonnenberg", "Kupferstich", "Nordlicht"),
        ("Spedition", "Versicherungen", "Haustechnik", "Optik"), " GmbH",
        ("0171 39200xx", "0176 040690xx", "0151 2xxxxxxx"), ("030 23125xxx", "089 99998xxx", "0221 4710xxx"),
        ("{n}", "{slash}", "+49 {rest}", "+49 (0){rest}", "0049 {restplain}", "{plain}"),
    ),
    Country(
        "PT", "pt", 9,
        ("Inês", "Gonçalo", "Conceição", "Tomás", "Leonor", "Duarte", "Mafalda", "Rui", "Beatriz", "Nuno"),
        ("Carvalho", "Magalhães", "Simões", "Figueiredo", "Brandão", "Teixeira", "Esteves", "Guimarães", "Lobo", "Pacheco"),
        ("Mar Aberto", "Quinta da Serra", "Azulejo", "Porto Seguro"),
        ("Transportes", "Seguros", "Turismo", "Vinhos"), " Lda.",
        ("91x xxx xxx", "93x xxx xxx", "96x xxx xxx"), ("21 3xx xx xx", "22 5xx xx xx"),
        ("{n}", "+351 {n}", "00351{plain}", "{plain}", "{dots}"),
    ),
    Country(
        "IT", "it", 7,
        ("Niccolò", "Ginevra", "Davide", "Chiara", "Ettore", "Fiamma", "Matteo", "Beatrice", "Luca", "Serafina"),
        ("De Santis", "Colombo", "Marchetti", "D'Amico", "Ferraro", "Galli", "Lo Presti", "Zanetti", "Bellini", "Orlandi"),
        ("Ponte Nuovo", "Aurora", "Ulivo", "Borgo Antico"),
        ("Trasporti", "Assicurazioni", "Ceramiche", "Alimentari"), " S.r.l.",
        ("347 xxx xxxx", "333 xxx xxxx"), ("06 4xxx xxxx", "02 3xxx xxxx"),
        ("{n}", "+39 {n}", "0039 {plain}", "{plain}", "+39{plain}"),
    ),
)  # fmt: skip

OWNERS = ("ana@example.com", "bruno@example.com", "chloe@example.com", "dieter@example.com", "elena@example.com")
AGENTS = ("Ana Prieto", "Bruno Sá", "Chloé Martin", "Dieter Maas", "Elena Conti")
UNUSABLE = ("no tiene", "612 34", "?", "00000000", "voir fiche", "555-CALL", "+999 12 34 56", "n/a")
CASES = (
    "Invoice does not match the order",
    "Parcel damaged",
    "Wants to change the delivery address",
    "Contract renewal",
    "Cannot sign in to the portal",
    "Warranty claim",
    "Double charge in October",
    "Asks for a copy of the contract",
)
CALLS = (
    ("Sale", "positive", "Ordered again, same size."),
    ("Information", "neutral", "Asked about opening hours and delivery."),
    ("Complaint", "negative", "Third call about the same parcel; was friendly all the same."),
    ("Call back", "callback", "Please call after 16:00."),
    ("No answer", "unreachable", None),
)
