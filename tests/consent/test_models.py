"""What holds for every value the consent package hands out."""

import importlib
import pkgutil
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

import consent

MODULES = [
    importlib.import_module(f"consent.{found.name}") for found in pkgutil.iter_modules(consent.__path__)
]
CLASSES = [
    found
    for module in MODULES
    for found in vars(module).values()
    if isinstance(found, type) and found.__module__ == module.__name__
]


@pytest.mark.parametrize("model", [c for c in CLASSES if issubclass(c, BaseModel)])
def test_every_model_is_frozen_and_refuses_fields_it_does_not_know(model: type[BaseModel]):
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("kind", [c for c in CLASSES if is_dataclass(c)])
def test_every_dataclass_is_frozen_and_has_slots(kind: Any):
    assert kind.__dataclass_params__.frozen
    assert "__slots__" in vars(kind)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_no_module_reads_a_clock_a_file_an_environment_or_draws_a_random_number(module: ModuleType):
    names = {
        getattr(found, "__name__", "") for found in vars(module).values() if isinstance(found, ModuleType)
    }
    assert not names & {"time", "random", "secrets", "os", "io", "pathlib", "socket", "threading"}
    text = Path(module.__file__ or "").read_text(encoding="utf-8")
    for call in ("datetime.now", "date.today", "utcnow", "uuid4(", "uuid1(", "token_bytes", " open("):
        assert call not in text
