# One image for web, workers, beat and sweeper; docker-compose.yml says which command each runs.

FROM node:22-slim AS browser
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim
# With an arena a thread, glibc keeps what each thread's largest work took.
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY requirements.txt requirements-nodeps.txt ./
RUN pip install --no-cache-dir -r requirements.txt && pip install --no-cache-dir --no-deps -r requirements-nodeps.txt
COPY --from=browser /build/node_modules node_modules
COPY . .
RUN python -m compileall -q agents memory orchestrator
RUN useradd --system --uid 10001 --no-create-home queenright \
    && install --directory --owner queenright --mode 0700 /data
USER queenright
VOLUME /data
