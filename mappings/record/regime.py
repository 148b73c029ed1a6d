"""The legal regime of an assertion: it belongs to source and programme, never to the field."""

from enum import StrEnum


class Regime(StrEnum):
    """Which law an assertion arrived under; the strictest input wins for a derived value."""

    EDU = "EDU"  # FERPA, 34 CFR 99
    EDU_SE = "EDU-SE"  # IDEA, 34 CFR 300.610-627
    HLTH = "HLTH"  # HIPAA, 45 CFR 160 and 164
    P2 = "P2"  # 42 CFR Part 2, substance use
    HMIS = "HMIS"  # HUD HMIS privacy standards
    MV = "MV"  # McKinney-Vento, 42 USC 11432(g)(3)(G)
    FOOD = "FOOD"  # meal eligibility, 42 USC 1758(b)(6)
    CW = "CW"  # state child-welfare confidentiality
    FAM = "FAM"  # supplied by the family under the hub's terms
    SYS = "SYS"  # the hub's own operation
