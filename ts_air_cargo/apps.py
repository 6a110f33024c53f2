from django.apps import AppConfig


class TsAirCargoConfig(AppConfig):
    name = "ts_air_cargo"
