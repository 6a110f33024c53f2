from agent_chine_app.models.clients import Client, NumberChange
from agent_chine_app.models.colis import TRACKING_ALPHABET, Colis, ColisStep, new_numero_suivi, photo_path
from agent_chine_app.models.creations import ClientCreation
from agent_chine_app.models.imports import ClientImport
from agent_chine_app.models.lots import Lot
from agent_chine_app.models.transports import Transport

__all__ = [
    "TRACKING_ALPHABET",
    "Client",
    "ClientCreation",
    "ClientImport",
    "Colis",
    "ColisStep",
    "Lot",
    "NumberChange",
    "Transport",
    "new_numero_suivi",
    "photo_path",
]
