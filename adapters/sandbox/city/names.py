"""Names to invent families from, by naming tradition. Every family made of them is fictional."""

from dataclasses import dataclass
from enum import StrEnum


class Tradition(StrEnum):
    """How a family hands on its names."""

    HISPANIC = "hispanic"
    HAITIAN = "haitian"
    CAPE_VERDEAN = "cape-verdean"
    VIETNAMESE = "vietnamese"
    BRAZILIAN = "brazilian"
    KHMER = "khmer"
    ARABIC = "arabic"
    NIGERIAN = "nigerian"
    POLISH = "polish"
    ENGLISH = "english"


@dataclass(frozen=True, slots=True)
class Pool:
    """Names of a tradition, the language at home (ISO 639-3), the federal race and ethnicity, and how common it is."""

    girls: tuple[str, ...]
    boys: tuple[str, ...]
    families: tuple[str, ...]
    language: str
    race: str
    hispanic: bool
    weight: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


POOLS: dict[Tradition, Pool] = {
    Tradition.HISPANIC: Pool(
        _words("Camila Valeria Ximena Daniela Renata Itzel Jimena Luciana Marisol Yaretzi Paloma Araceli Noemí Zulema"),
        _words("Mateo Santiago Emiliano Joaquín Iker Rodrigo Andrés Nicolás Ángel Leonel Saúl Cristóbal Efraín Óscar"),
        _words(
            "Reyes Maldonado Cruz Ortega Rivera Soto Peña Núñez Castañeda Guzmán Figueroa Báez Polanco Rosario Mejía "
            "Villanueva Sandoval Quiñones Tejada Alvarado"
        ),
        "spa",
        "White",
        True,
        34,
    ),
    Tradition.HAITIAN: Pool(
        _words("Wideline Marie-Ange Nadège Fabiola Guerline Rose-Laure Islande Mirlande Lovelie Djenane Bettina Yvelande"),
        _words("Widelson Jean-Marc Stevenson Wilguens Frantz Ricardo Dieuseul Jude Kervens Emmanuel Woodley Reginald"),
        _words("Jean-Baptiste Pierre-Louis Desrosiers Estimé Saintil Toussaint Charlemagne Jean-Louis Dorvil Beauvais Exantus"),
        "hat",
        "Black or African American",
        False,
        10,
    ),
    Tradition.CAPE_VERDEAN: Pool(
        _words("Ivone Edna Zenaida Nilza Jaqueline Elisângela Dulce Mayra Leonilde Suzete Anaísa Kelly"),
        _words("Adilson Nelson Hélder Ailton Djoy Elvis Zé-Luís Carlitos Ivandro Admilson Edmilson Kevin"),
        ("Tavares", "Monteiro", "Évora", "da Veiga", "Lopes da Cruz", "Barros", "Semedo", "Fortes", "Furtado", "Brito"),
        "kea",
        "Black or African American",
        False,
        12,
    ),
    Tradition.VIETNAMESE: Pool(
        ("Minh Anh", "Thảo", "Ngọc", "Khánh Linh", "Bảo Trân", "Thu Hà", "Mai", "Phương", "Như Ý", "Quỳnh"),
        ("Minh", "Đức", "Quốc Bảo", "Hùng", "Tuấn", "Gia Huy", "Phúc", "Nam", "Khoa", "Thiên"),
        _words("Nguyễn Trần Lê Phạm Huỳnh Võ Đặng Bùi"),
        "vie",
        "Asian",
        False,
        6,
    ),
    Tradition.BRAZILIAN: Pool(
        _words("Beatriz Larissa Júlia Isadora Manuela Letícia Lívia Heloísa Clara Yasmin"),
        _words("Thiago Guilherme Caio Davi Bernardo Heitor Murilo Enzo Vinícius João"),
        ("de Almeida", "Moreira", "dos Santos", "Carvalho", "Teixeira", "Nogueira", "Barbosa", "Pires", "Araújo"),
        "por",
        "White",
        True,
        10,
    ),
    Tradition.KHMER: Pool(
        _words("Sopheap Bopha Chanthy Sreyleak Rachana Kunthea Maly Davy Kolab"),
        _words("Sokha Vichea Rithy Dara Sovann Piseth Makara Virak Chandara"),
        _words("Sok Chea Keo Prak Meas Nhem Sim Chhim Ouk"),
        "khm",
        "Asian",
        False,
        4,
    ),
    Tradition.ARABIC: Pool(
        _words("Layla Noor Amira Yasmine Salma Rania Huda Maryam Dalia"),
        _words("Samir Omar Yousef Karim Bilal Tariq Zayd Idris Faris"),
        ("Haddad", "Al-Masri", "Khoury", "El Amrani", "Bennani", "Nasser", "Mansour", "Saleh"),
        "ara",
        "White",
        False,
        5,
    ),
    Tradition.NIGERIAN: Pool(
        _words("Adaeze Ngozi Temitope Chidinma Folake Ifeoma Zainab Oluchi Simisola"),
        _words("Chukwuemeka Tobenna Olumide Kelechi Babatunde Ikenna Musa Damilola Obinna"),
        _words("Okafor Adeyemi Nwosu Eze Balogun Okonkwo Ibekwe Adebayo Obi"),
        "eng",
        "Black or African American",
        False,
        4,
    ),
    Tradition.POLISH: Pool(
        _words("Zofia Hanna Maja Oliwia Gabriela Kinga Jagoda"),
        _words("Kacper Bartosz Wojciech Tymon Stanisław Ignacy Michał"),
        _words("Wiśniewski Kowalczyk Nowicki Zając Pawlak Jabłoński Wróbel"),
        "pol",
        "White",
        False,
        3,
    ),
    Tradition.ENGLISH: Pool(
        _words("Hazel Nora Imogen Willa June Tamsin Bridget Delia Aoife Marnie Clover Ottilie"),
        _words("Silas Rowan Declan Amos Finley Gideon Calder Emmett Otis Brennan Lionel Jasper"),
        ("Ashgrove", "O'Dwyer", "Thistlewood", "McElhenny", "Larkspur", "Penhallow", "Brannock", "Fairweather",
         "D'Arbanville", "Hollis", "Wexcombe", "St. Croix", "Van Aldenhoven"),
        "eng",
        "White",
        False,
        22,
    ),
}  # fmt: skip

STREETS = (
    "Periwinkle Lane", "Ropewalk Street", "Heron Street", "Old Saltworks Road", "Cooper's Court", "Lighthouse Avenue",
    "Marsh Elder Way", "Chandlery Street", "Gull Rock Road", "Bellbuoy Terrace", "Tidal Mill Road", "Cordage Alley",
)  # fmt: skip

VIETNAMESE_MIDDLE = {"female": ("Thị", "Ngọc", "Thanh"), "male": ("Văn", "Đình", "Quang")}
