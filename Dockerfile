# One image for web, workers, beat, watch, Flower, migrate and check: docker-compose.yml says what each runs.
# The version with which everything was tested.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
# First what changes seldom.
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --require-hashes -r requirements.txt
COPY . .
# The build needs settings that load, and no secret: collectstatic opens neither database nor broker.
RUN DJANGO_DEBUG=0 REHEARSAL=1 DJANGO_SECRET_KEY=build PUBLIC_BASE_URL=http://127.0.0.1 \
    WHATSAPP_CLOUD_API_URL=http://127.0.0.1 WHATSAPP_CLOUD_APP_SECRET=build WHATSAPP_CLOUD_VERIFY_TOKEN=build \
    WHATSAPP_TOKEN_KEYS=build DATABASE_URL=postgresql://build/build REDIS_URL=redis://build \
    /venv/bin/python manage.py collectstatic --noinput \
 && /venv/bin/python -m compileall -q accounts ./*_app ts_air_cargo/*.py \
 # A volume mounted here belongs to whom the folder belongs to.
 && install --directory --owner 10001 --group 10001 var/media

FROM python:${PYTHON}-slim
RUN groupadd --gid 10001 cargo \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cargo
WORKDIR /app
COPY --from=build /venv /venv
# It belongs to root: who breaks into a process changes nothing here.
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_DEBUG=0
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "ts_air_cargo.wsgi"]
