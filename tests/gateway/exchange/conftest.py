"""A hub that is quick about failures, a clinic that may be sent plans, and a child it may know."""

import pytest

from mappings.record.category import Category
from tests.gateway.exchange.partners import hasty, plan_in_force
from tests.gateway.family import Family, add_agency


@pytest.fixture
def quick(hub):
    return hasty(hub)


@pytest.fixture
def clinic(hub):
    return add_agency(hub, programme=Category.HEALTH)


@pytest.fixture
def child(quick, clinic):
    """A child with a plan in force that the clinic is permitted to see."""
    school = add_agency(quick)
    family = Family(quick)
    family.states(school, Category.SCHOOL)
    family.permits(clinic, Category.IDENTITY, Category.SCHOOL)
    plan_in_force(quick, family, school)
    return family
