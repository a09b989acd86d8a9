# mmq-tf with its demo. CPU: docker build -t mmq-tf . && docker run --rm mmq-tf
# NVIDIA card: docker build --build-arg EXTRA=gpu -t mmq-tf . && docker run --rm --gpus all mmq-tf
FROM python:3.11-slim-bookworm AS build
RUN apt-get -qq update \
    && apt-get -qq install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG EXTRA=""
RUN python -m venv /opt/mmq-tf \
    && PIP_CONSTRAINT=constraints.txt /opt/mmq-tf/bin/pip install --quiet --no-cache-dir ./firmware_bridge ".${EXTRA:+[$EXTRA]}"

FROM python:3.11-slim-bookworm
RUN apt-get -qq update \
    && apt-get -qq install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 mmq
COPY --from=build /opt/mmq-tf /opt/mmq-tf
COPY Makefile /home/mmq/Makefile
ENV PATH=/opt/mmq-tf/bin:$PATH
USER 1000
WORKDIR /home/mmq
# `-o install`: what the demo needs is installed already.
CMD ["make", "--no-print-directory", "-o", "install", "BIN=/opt/mmq-tf/bin", "demo"]
