FROM python:3.12-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.12-slim
RUN useradd --create-home --uid 10001 cargo
WORKDIR /app
COPY --from=build /venv /venv
COPY . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_DEBUG=0
# The build needs settings that load, and no secret: collectstatic opens neither database nor broker.
RUN DJANGO_SECRET_KEY=build ALLOWED_HOSTS=build PUBLIC_BASE_URL=https://build DATABASE_URL=postgresql://build/build \
    REDIS_URL=redis://build WHATSAPP_CLOUD_API_URL=https://build WHATSAPP_CLOUD_APP_SECRET=build \
    WHATSAPP_CLOUD_VERIFY_TOKEN=build WHATSAPP_TOKEN_KEYS=build \
    python manage.py collectstatic --noinput
# A volume mounted here belongs to whom the folder belongs to.
RUN install --directory --owner cargo var/media
USER cargo
EXPOSE 8000
CMD ["gunicorn", "ts_air_cargo.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
